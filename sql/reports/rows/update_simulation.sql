-- update_simulation(simulation_id, country_id, status, output, error_message, run_sequence, claim_id): writes the
-- values that are not null, and the country's current package version where one is set, and returns the row. A null
-- leaves its column as it is, because the current application expects that; only status complete clears an
-- error_message that is not given. To clear columns use reset_simulation or rerun_report.
-- A worker gives back the run_sequence that it read with the row. If that run has ended in the meantime, the write is
-- refused. A write without run_sequence is accepted in any run. A worker that has claimed the report gives its
-- claim_id: then the write is refused when the claim is over. A write without it ends the claim, if it finishes what
-- the claim computes.
-- The setting require_claim can ask for one of both.
-- A finished run, which is complete or error, is not changed: a worker that sends its result again gets the stored row.
-- Raises RR007 no such simulation, RR008 no such country, RR011 the run has ended, RR016 values that cannot be written,
-- RR017 the caller's token may not, RR020 the run is finished and the setting allow_unfinish is off, RR022 a
-- trigger of the host keeps the row as it is, 55P03 the row was locked for too long.
create or replace function public.update_simulation(
  simulation_id bigint,
  country_id text default null,
  status text default null,
  output json default null,
  error_message text default null,
  run_sequence bigint default null,
  claim_id uuid default null
)
returns setof pgreprise.simulation_row
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- The tables of claims are empty at first. A plan from that time would scan them, and a session keeps its plans.
set enable_seqscan = 'off'
set jit = 'off'
as $$
begin
  perform pgreprise.enter('reports:write', update_simulation.country_id);
  perform pgreprise.check_update(update_simulation.status, update_simulation.output, update_simulation.error_message);
  perform pgreprise.write_simulation(update_simulation.simulation_id, update_simulation.country_id,
    update_simulation.status, update_simulation.output, update_simulation.error_message,
    update_simulation.run_sequence, update_simulation.claim_id);

  return query select stored.* from pgreprise.stored_simulation(update_simulation.simulation_id) as stored;
end;
$$;

comment on function public.update_simulation(bigint, text, text, json, text, bigint, uuid) is
'Writes the values that are not null to a simulation whose run is not finished, and returns it.';

grant execute on function public.update_simulation(bigint, text, text, json, text, bigint, uuid)
to pgreprise_api, pgreprise_dba;
