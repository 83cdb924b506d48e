-- raise_report_wait(report_ids, simulation_ids, reform_impact_ids): the error of a caller who waited too long for a
-- lock (raise_lock_wait): it names the first of these rows, or of those that a rerun of the reports needs
-- (needed_rows), that another transaction holds. Entry points call it where lock_not_available is raised. Always
-- raises.
-- Raises 55P03.
create or replace function pgreprise.raise_report_wait(
  report_ids bigint[], simulation_ids bigint[] default '{}', reform_impact_ids bigint[] default '{}'
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  wanted_table text;
  wanted       record;
begin
  -- What the entry point has set ended with its block.
  if current_setting('lock_timeout') = '0' then
    perform set_config('lock_timeout', '1s', true);
  end if;

  foreach wanted_table in array array['report_outputs', 'simulations', 'reform_impact'] loop
    if pgreprise.table_lockers(wanted_table) is not null then
      perform pgreprise.raise_lock_wait(wanted_table, '{}');
    end if;
  end loop;

  for wanted in
    select given.table_name, given.key_column, given.are_deleted, array_agg(given.row_id) as ids
      from (
        select needed.place, needed.table_name, needed.key_column, needed.are_deleted, needed.row_id
          from pgreprise.needed_rows(raise_report_wait.report_ids) as needed
        union
        select 2, 'simulations', 'id', false, simulation.id
          from unnest(raise_report_wait.simulation_ids) as simulation(id)
        union
        select 3, 'reform_impact', 'reform_impact_id', true, impact.id
          from unnest(raise_report_wait.reform_impact_ids) as impact(id)
      ) as given
     group by given.place, given.table_name, given.key_column, given.are_deleted
     order by given.place
  loop
    perform from pgreprise.locked_rows(wanted.table_name, wanted.ids, wanted.are_deleted, wanted.key_column);
    if found then
      perform pgreprise.raise_lock_wait(wanted.table_name, wanted.ids, wanted.are_deleted, wanted.key_column);
    end if;
  end loop;

  -- It is free again, or it is another row, of the application's tables of runs.
  perform pgreprise.raise_lock_wait('report_outputs', raise_report_wait.report_ids);
end;
$$;

comment on function pgreprise.raise_report_wait(bigint[], bigint[], bigint[]) is
'The error of a caller who waited too long for a report, its simulations or its cache rows (55P03).';
