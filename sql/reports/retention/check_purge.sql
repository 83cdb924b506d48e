-- check_purge(older_than, keep_last): refuses an age and a number of runs that no purge can mean.
-- Raises RR016.
create or replace function pgreprise.check_purge(older_than interval, keep_last integer)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  -- Months are compared as 30 days each: many months, less as many days, are a short age that no time goes back by.
  if check_purge.older_than is null or check_purge.older_than not between interval '0' and interval '1000 years'
    or abs(extract(year from check_purge.older_than)) > 1000
    or check_purge.keep_last is null or check_purge.keep_last < 0
  then
    raise exception using
      errcode = 'RR016',
      message = 'A purge needs older_than, an interval from 0 to 1000 years, and keep_last, 0 or more runs.',
      detail = jsonb_build_object('older_than', check_purge.older_than, 'keep_last', check_purge.keep_last),
      hint = 'Nothing was changed. For example: call purge_runs(interval ''30 days'', keep_last => 1)';
  end if;
end;
$$;

comment on function pgreprise.check_purge(interval, integer) is 'Refuses what no purge can mean (RR016).';
