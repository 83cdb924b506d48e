-- check_purge(older_than, keep_last): refuses an age and a number of runs that no purge can mean. An age that goes
-- back further than a timestamp does is none.
-- Raises RR016.
create or replace function pgreprise.check_purge(older_than interval, keep_last integer)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  is_meant boolean;
begin
  begin
    is_meant := check_purge.older_than >= interval '0' and check_purge.keep_last >= 0
      and now() - check_purge.older_than <= now();
  exception
    when datetime_field_overflow then is_meant := false;
  end;

  if is_meant is not true then
    raise exception using
      errcode = 'RR016',
      message = 'A purge needs older_than, an interval that is not negative, and keep_last, 0 or more runs.',
      detail = jsonb_build_object('older_than', check_purge.older_than, 'keep_last', check_purge.keep_last),
      hint = 'Nothing was changed. For example: call purge_runs(interval ''30 days'', keep_last => 1)';
  end if;
end;
$$;

comment on function pgreprise.check_purge(interval, integer) is 'Refuses what no purge can mean (RR016).';
