-- reset_simulation(simulation_id, reason): puts one simulation back to pending, as its next run, and leaves the reports
-- that use it as they are. The run that ends is archived. This clears output and error_message, and writes the
-- country's current package version where one is set.
-- Raises RR007 when there is no such simulation, RR016 for a reason that is too long, RR017 when the caller's token may
-- not.
create or replace function public.reset_simulation(simulation_id bigint, reason text default null)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  target          record;
  package_version text;
  settings        record;
  started_runs    integer[];
  taken_key       text;
begin
  perform pgreprise.enter('reports:rerun');

  select simulation.country_id into target
    from public.simulations as simulation
   where simulation.id = reset_simulation.simulation_id
     for no key update;
  if not found then
    perform pgreprise.raise_not_found('simulation', reset_simulation.simulation_id);
  end if;

  select country.package_version into package_version
    from pgreprise.country as country
   where country.country_id = own.target.country_id;

  perform pgreprise.end_claims('{}', 'superseded', format('simulation #%s was reset', reset_simulation.simulation_id),
    array[reset_simulation.simulation_id]);
  select setting.archive_outputs, setting.has_run_tables into settings from pgreprise.setting as setting;
  started_runs := pgreprise.start_simulation_runs(array[reset_simulation.simulation_id], settings.archive_outputs,
    api_version => package_version);
  if settings.has_run_tables then
    perform pgreprise.add_host_runs('rerun', '{}', array[reset_simulation.simulation_id]);
  end if;

  insert into pgreprise.rerun as act
    (rerun_id, kind, country_id, simulation_ids, simulation_run_sequences, is_archived, reason)
  values (pgreprise.new_act_id(pgreprise.id_shard('simulation', reset_simulation.simulation_id)), 'reset_simulation',
    target.country_id, array[reset_simulation.simulation_id], started_runs,
    settings.archive_outputs, pgreprise.checked_reason(reset_simulation.reason));
exception
  when lock_not_available then
    perform pgreprise.raise_report_wait('{}', array[reset_simulation.simulation_id]);
  when unique_violation then
    get stacked diagnostics taken_key = constraint_name;
    perform pgreprise.raise_sequence_behind('RR023', taken_key);
    raise;
end;
$$;

comment on function public.reset_simulation(bigint, text) is
'Puts one simulation back to pending and clears its output and error; the reports that use it stay.';

grant execute on function public.reset_simulation(bigint, text) to pgreprise_dba;
