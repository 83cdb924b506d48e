-- is_large_batch(reports): whether a batch of so many reports is larger than the setting largest_batch, so that their
-- number has to be given, or the token of a preview that has shown it.
create or replace function pgreprise.is_large_batch(reports bigint)
returns boolean
language sql
stable
begin atomic
  select is_large_batch.reports > setting.largest_batch as is_large
    from pgreprise.setting as setting;
end;

comment on function pgreprise.is_large_batch(bigint) is
'Whether so many reports are more than a batch may have without their number.';
