-- run_table_differences(): where the application's own tables of runs and its reports do not agree, which happens when
-- the application and pgreprise, or two versions of the application, do the same at the same time. One row for each:
-- difference is
-- - pointer: active_run_id of a report or a simulation names no run of it;
-- - newer_run: active_run_id names a run of it, and there is a newer one;
-- - status: the current run, the active or else the newest one, has another status than its row;
-- - same_key: a report of the current version for which there is a newer one with the same key; the application shows
--   the newer one (other_id).
-- No row where the application has no such tables. Changes nothing.
-- Raises RR017 when the caller's token may not read.
create or replace function public.run_table_differences()
returns table (difference text, row_kind text, row_id bigint, country_id text, other_id bigint)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read');
  if not (select setting.has_run_tables from pgreprise.setting as setting) then
    return;
  end if;

  return query
    with newest as (
      select distinct on (run.report_output_id) run.report_output_id as id, run.id as run_id, run.status
        from public.report_output_runs as run
       order by run.report_output_id, run.run_sequence desc
    ),

    newest_of_simulation as (
      select distinct on (run.simulation_id) run.simulation_id as id, run.id as run_id, run.status
        from public.simulation_runs as run
       order by run.simulation_id, run.run_sequence desc
    ),

    current_run as (
      select 'report' as row_kind, report.id, report.country_id, report.status, report.active_run_id,
          active.id as active_id, newest.run_id as newest_id,
          case when report.active_run_id is null then newest.status else active.status end as run_status
        from public.report_outputs as report
        left join newest on newest.id = report.id
        left join public.report_output_runs as active
          on active.report_output_id = report.id and active.id = report.active_run_id
      union all
      select 'simulation', simulation.id, simulation.country_id, simulation.status, simulation.active_run_id,
          active.id, newest.run_id, case when simulation.active_run_id is null then newest.status else active.status end
        from public.simulations as simulation
        left join newest_of_simulation as newest on newest.id = simulation.id
        left join public.simulation_runs as active
          on active.simulation_id = simulation.id and active.id = simulation.active_run_id
    )

    select 'pointer', current_run.row_kind, current_run.id::bigint, current_run.country_id::text, null::bigint
      from current_run
     where current_run.active_run_id is not null and current_run.active_id is null
    union all
    select 'newer_run', current_run.row_kind, current_run.id::bigint, current_run.country_id::text, null
      from current_run
     where current_run.active_id <> current_run.newest_id
    union all
    select 'status', current_run.row_kind, current_run.id::bigint, current_run.country_id::text, null
      from current_run
     where current_run.run_status <> current_run.status
    union all
    select 'same_key', 'report', report.id::bigint, report.country_id::text, same_key.newest_id
      from public.report_outputs as report
      join pgreprise.country as country
        on country.country_id = report.country_id and country.report_output_version = report.api_version
     cross join lateral (
       select max(other.id)::bigint as newest_id
         from unnest(pgreprise.same_key_reports(report.id, report.country_id, report.simulation_1_id,
           report.simulation_2_id, report.year, report.api_version)) as other(id)
     ) as same_key
     where same_key.newest_id > report.id
     order by 1, 2, 3;
end;
$$;

comment on function public.run_table_differences() is
'Where the application''s own tables of runs and its reports do not agree.';

grant execute on function public.run_table_differences() to pgreprise_reader, pgreprise_api, pgreprise_dba;
