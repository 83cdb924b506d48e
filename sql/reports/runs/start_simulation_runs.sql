-- start_simulation_runs(simulation_ids, keep_outputs, values ...): ends the current run of simulations, archives it in
-- simulation_run, and starts the next run with these values: pending and empty for a rerun or a reset, the values of an
-- earlier run for an undo. A null api_version keeps the version of the row. Without keep_outputs the output of the run
-- that ends is not archived. The caller has locked the rows.
-- Returns the numbers of the runs that it started, in the order of the ids.
-- Raises RR022 when a trigger of the host keeps a row as it is.
create or replace function pgreprise.start_simulation_runs(
  simulation_ids bigint[],
  keep_outputs boolean,
  status text default 'pending',
  output json default null,
  error_message text default null,
  api_version text default null
)
returns integer[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  wanted_ids   bigint[] := start_simulation_runs.simulation_ids;
  started_ids  bigint[];
  started_runs integer[];
begin
  for attempt in 1..2 loop
    with ended as (
      insert into pgreprise.simulation_run as run
        (simulation_id, run_sequence, api_version, status, output, had_output, error_message)
      select simulation.id, simulation.run_sequence, simulation.api_version, simulation.status,
          case when start_simulation_runs.keep_outputs then simulation.output::json end,
          simulation.output is not null,
          simulation.error_message
        from public.simulations as simulation
       where simulation.id = any (own.wanted_ids)
      on conflict on constraint simulation_run_pkey do nothing
      returning run.simulation_id
    ),

    started as (
      update public.simulations as simulation
         set status = start_simulation_runs.status,
             output = start_simulation_runs.output,
             error_message = start_simulation_runs.error_message,
             api_version = coalesce(start_simulation_runs.api_version, simulation.api_version),
             run_sequence = simulation.run_sequence + 1
       where simulation.id = any (array(select ended.simulation_id from ended))
      returning simulation.id, simulation.run_sequence, simulation.status::text as status
    )

    select coalesce(array_agg(started.id::bigint), '{}'), array_agg(started.run_sequence order by started.id)
      into started_ids, started_runs
      from started
     where started.status = start_simulation_runs.status;
    if attempt = 1 and cardinality(started_ids) = cardinality(wanted_ids) then
      return started_runs;
    end if;

    -- The others have the id of a deleted row, whose archived runs have their numbers.
    wanted_ids := array(
      select wanted.id from unnest(own.wanted_ids) as wanted(id) where wanted.id <> all (own.started_ids)
    );
    exit when cardinality(wanted_ids) = 0;
    perform pgreprise.skip_used_run_numbers('{}', wanted_ids);
  end loop;
  if cardinality(wanted_ids) > 0 then
    perform pgreprise.raise_kept_rows('RR022', 'simulations', cardinality(start_simulation_runs.simulation_ids),
      cardinality(start_simulation_runs.simulation_ids) - cardinality(wanted_ids));
  end if;

  return array(
    select simulation.run_sequence
      from public.simulations as simulation
     where simulation.id = any (start_simulation_runs.simulation_ids)
     order by simulation.id
  );
end;
$$;

comment on function pgreprise.start_simulation_runs(bigint[], boolean, text, json, text, text) is
'Archives the current run of simulations and starts the next.';
