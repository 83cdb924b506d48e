-- add_host_runs(trigger_type, report_ids, simulation_ids, for_report_ids, input_positions): adds the next run of
-- reports and simulations to the application's own tables of runs, and lets the rows point to it, as the
-- application does: pending, requested now, with the former run as its source. The runs that are there stay as they
-- are, with their outputs. The caller has started the runs of ours and holds the locks of the rows. for_report_ids and
-- input_positions tell for each simulation which report it is for, and as its first or second simulation.
-- To be called only where pgreprise.setting.has_run_tables.
-- Raises 40001 when the application adds a run of the same row at this moment, RR022 when a trigger of the host keeps a
-- row from being written.
create or replace function pgreprise.add_host_runs(
  trigger_type text,
  report_ids bigint[],
  simulation_ids bigint[] default '{}',
  for_report_ids bigint[] default '{}',
  input_positions integer[] default '{}'
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
-- The application's times are UTC, with or without a zone of their own.
set timezone = 'UTC'
as $$
<<own>>
declare
  added_rows   bigint;
  pointed_rows bigint;
  violated     name;
begin
  with former as (
    select report.id, report.run_sequence, report.api_version, report.report_spec_json::json as spec,
        report.active_run_id, report.latest_successful_run_id, newest.id as newest_id,
        coalesce(newest.run_sequence, 0) as newest_sequence, country.package_version
      from public.report_outputs as report
      left join pgreprise.country as country on country.country_id = report.country_id
      left join lateral (
        select run.id, run.run_sequence
          from public.report_output_runs as run
         where run.report_output_id = report.id
         order by run.run_sequence desc
         limit 1
      ) as newest on true
     where report.id = any (add_host_runs.report_ids)
  ),

  added as (
    insert into public.report_output_runs as run
      (id, report_output_id, run_sequence, status, trigger_type, requested_at, source_run_id,
       report_spec_snapshot_json, country_package_version, report_cache_version, resolved_dataset)
    select gen_random_uuid()::text, former.id, former.newest_sequence + 1, 'pending', add_host_runs.trigger_type,
        date_trunc('second', clock_timestamp() at time zone 'utc'), former.newest_id, former.spec,
        former.package_version, former.api_version, former.spec ->> 'dataset'
      from former
    returning run.id, run.report_output_id, run.run_sequence
  ),

  kept as (
    insert into pgreprise.host_run
      (row_kind, row_id, run_sequence, host_run_id, host_run_sequence, ended_host_run_id, active_run_id,
       latest_successful_run_id)
    select 'report', former.id, former.run_sequence, added.id, added.run_sequence, former.newest_id,
        former.active_run_id, former.latest_successful_run_id
      from former
      join added on added.report_output_id = former.id
    -- A deleted row that had this id may have left one.
    on conflict on constraint host_run_pkey do update
      set host_run_id = excluded.host_run_id, host_run_sequence = excluded.host_run_sequence,
          ended_host_run_id = excluded.ended_host_run_id, active_run_id = excluded.active_run_id,
          latest_successful_run_id = excluded.latest_successful_run_id, removed = null
  ),

  pointed as (
    update public.report_outputs as report
       set active_run_id = added.id
      from added
     where report.id = added.report_output_id
    returning report.id
  )

  select (select count(*) from added), (select count(*) from pointed) into added_rows, pointed_rows;
  if added_rows < cardinality(add_host_runs.report_ids) then
    perform pgreprise.raise_kept_rows('RR022', 'report_output_runs', cardinality(add_host_runs.report_ids), added_rows);
  elsif pointed_rows < added_rows then
    perform pgreprise.raise_kept_rows('RR022', 'report_outputs', added_rows, pointed_rows);
  end if;

  with former as (
    select simulation.id, simulation.run_sequence, simulation.api_version,
        simulation.simulation_spec_json::json as spec, simulation.active_run_id,
        simulation.latest_successful_run_id, newest.id as newest_id,
        coalesce(newest.run_sequence, 0) as newest_sequence, wanted.input_position,
        report.active_run_id as report_run_id
      from unnest(add_host_runs.simulation_ids, add_host_runs.for_report_ids, add_host_runs.input_positions)
        as wanted(simulation_id, report_id, input_position)
      join public.simulations as simulation on simulation.id = wanted.simulation_id
      left join public.report_outputs as report on report.id = wanted.report_id
      left join lateral (
        select run.id, run.run_sequence
          from public.simulation_runs as run
         where run.simulation_id = simulation.id
         order by run.run_sequence desc
         limit 1
      ) as newest on true
  ),

  added as (
    insert into public.simulation_runs as run
      (id, simulation_id, report_output_run_id, input_position, run_sequence, status, trigger_type, requested_at,
       source_run_id, simulation_spec_snapshot_json, country_package_version)
    select gen_random_uuid()::text, former.id, former.report_run_id, former.input_position,
        former.newest_sequence + 1, 'pending', add_host_runs.trigger_type,
        date_trunc('second', clock_timestamp() at time zone 'utc'), former.newest_id, former.spec, former.api_version
      from former
    returning run.id, run.simulation_id, run.run_sequence
  ),

  kept as (
    insert into pgreprise.host_run
      (row_kind, row_id, run_sequence, host_run_id, host_run_sequence, ended_host_run_id, active_run_id,
       latest_successful_run_id)
    select 'simulation', former.id, former.run_sequence, added.id, added.run_sequence, former.newest_id,
        former.active_run_id, former.latest_successful_run_id
      from former
      join added on added.simulation_id = former.id
    -- A deleted row that had this id may have left one.
    on conflict on constraint host_run_pkey do update
      set host_run_id = excluded.host_run_id, host_run_sequence = excluded.host_run_sequence,
          ended_host_run_id = excluded.ended_host_run_id, active_run_id = excluded.active_run_id,
          latest_successful_run_id = excluded.latest_successful_run_id, removed = null
  ),

  pointed as (
    update public.simulations as simulation
       set active_run_id = added.id
      from added
     where simulation.id = added.simulation_id
    returning simulation.id
  )

  select (select count(*) from added), (select count(*) from pointed) into added_rows, pointed_rows;
  if added_rows < cardinality(add_host_runs.simulation_ids) then
    perform pgreprise.raise_kept_rows('RR022', 'simulation_runs', cardinality(add_host_runs.simulation_ids),
      added_rows);
  elsif pointed_rows < added_rows then
    perform pgreprise.raise_kept_rows('RR022', 'simulations', added_rows, pointed_rows);
  end if;
exception
  when unique_violation then
    get stacked diagnostics violated = constraint_name;
    -- Other keys, and what a trigger raises, are rules of the host.
    if not exists (
      select from pg_class as index_relation
       join pg_index as key_index on key_index.indexrelid = index_relation.oid
       join pg_attribute as attribute
         on attribute.attrelid = key_index.indrelid and attribute.attnum = any (key_index.indkey)
      where index_relation.relname = own.violated and attribute.attname = 'run_sequence'
        and key_index.indrelid in ('public.report_output_runs'::regclass, 'public.simulation_runs'::regclass)
    ) then
      raise;
    end if;
    raise exception using
      errcode = 'serialization_failure',
      message = 'The application added a run of the same report or simulation at this moment.',
      detail = jsonb_build_object(),
      hint = 'Nothing was changed. Try again.';
end;
$$;

comment on function pgreprise.add_host_runs(text, bigint[], bigint[], bigint[], integer[]) is
'Adds the next run of reports and simulations to the application''s own tables of runs.';
