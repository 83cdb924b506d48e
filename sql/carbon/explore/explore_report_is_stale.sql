-- explore_report_is_stale(last_updated, as_of): whether an explore report should be replaced by a fresh one. It should
-- when last_updated is null or more than 24 hours old. All routines use this rule.
create or replace function pgreprise.explore_report_is_stale(last_updated bigint, as_of timestamptz)
returns boolean
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return explore_report_is_stale.last_updated is null
    or extract(epoch from explore_report_is_stale.as_of) - explore_report_is_stale.last_updated > 86400;
end;
$$;

comment on function pgreprise.explore_report_is_stale(bigint, timestamptz) is
'Whether an explore report has not changed for more than 24 hours.';
