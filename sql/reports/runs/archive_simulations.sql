-- archive_simulations(simulation_ids, keep_outputs): write down the current run of simulations, as it is now, in
-- simulation_run; the caller holds their locks and ends that run. Without keep_outputs the output is left out.
create or replace function pgreprise.archive_simulations(simulation_ids bigint[], keep_outputs boolean)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  wanted_ids   bigint[] := archive_simulations.simulation_ids;
  archived_ids bigint[];
begin
  for attempt in 1..2 loop
    with archived as (
      insert into pgreprise.simulation_run as run
        (simulation_id, run_sequence, api_version, status, output, had_output, error_message)
      select simulation.id, simulation.run_sequence, simulation.api_version, simulation.status,
          case when archive_simulations.keep_outputs then simulation.output::json end, simulation.output is not null,
          simulation.error_message
        from public.simulations as simulation
       where simulation.id = any (own.wanted_ids)
      on conflict on constraint simulation_run_pkey do nothing
      returning run.simulation_id
    )

    select coalesce(array_agg(archived.simulation_id), '{}') into archived_ids from archived;
    exit when cardinality(archived_ids) = cardinality(wanted_ids);

    -- These ids were an earlier row's, too, and its runs stand there.
    wanted_ids := array(
      select wanted.id from unnest(own.wanted_ids) as wanted(id) where wanted.id <> all (own.archived_ids)
    );
    perform pgreprise.skip_used_run_numbers('{}', wanted_ids);
  end loop;
end;
$$;

comment on function pgreprise.archive_simulations(bigint[], boolean) is
'Writes down the current run of simulations, which the caller is about to end.';
