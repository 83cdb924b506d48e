-- check_purge(older_than, keep_last): refuses an age and a number of runs that no purge can have.
-- Raises RR016.
create or replace function pgreprise.check_purge(older_than interval, keep_last integer)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  -- A comparison counts 30 days a month. So many months minus as many days look short, but no timestamp is that old.
  if check_purge.older_than is null or check_purge.older_than not between interval '0' and interval '1000 years'
    or abs(extract(year from check_purge.older_than)) > 1000
    or check_purge.keep_last is null or check_purge.keep_last < 0
  then
    raise exception using
      errcode = 'RR016',
      message = 'A purge needs older_than, an interval from 0 to 1000 years, and keep_last, a number from 0.',
      detail = jsonb_build_object('older_than', check_purge.older_than, 'keep_last', check_purge.keep_last),
      hint = 'Nothing was changed. For example: call purge_runs(interval ''30 days'', keep_last => 1)';
  end if;
end;
$$;

comment on function pgreprise.check_purge(interval, integer) is 'Refuses values that no purge can have (RR016).';
