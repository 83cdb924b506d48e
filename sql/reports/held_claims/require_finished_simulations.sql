-- require_finished_simulations(claim_id): refuses to finish a report while simulations of its claim are to be computed:
-- a report is computed from them. Nor is it finished from a simulation that was reset since: the claim was not revoked
-- where the transaction of the reset began, at repeatable read, before the claim.
-- Raises RR011 for a simulation that was reset, RR031 with the ids of those to be computed.
create or replace function pgreprise.require_finished_simulations(claim_id uuid)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = 'off'
set jit = 'off'
as $$
<<own>>
declare
  held     record;
  moved    record;
  left_ids bigint[];
begin
  select given.simulation_id, given.run_sequence, simulation.run_sequence as current_run into moved
    from pgreprise.claim_simulation as given
    join public.simulations as simulation on simulation.id = given.simulation_id
   where given.claim_id = require_finished_simulations.claim_id
     and given.run_sequence <> simulation.run_sequence
   order by given.simulation_id
   limit 1;
  if found then
    perform pgreprise.raise_run_not_current('simulation', moved.simulation_id, moved.current_run, moved.run_sequence);
  end if;

  left_ids := array(
    select given.simulation_id
      from pgreprise.claim_simulation as given
      join public.simulations as simulation on simulation.id = given.simulation_id
     where given.claim_id = require_finished_simulations.claim_id
       and given.computes
       and simulation.status not in ('complete', 'error')
     order by given.simulation_id
  );
  if cardinality(left_ids) = 0 then
    return;
  end if;

  select claim.report_id into held
    from pgreprise.claim as claim
   where claim.claim_id = require_finished_simulations.claim_id;
  raise exception using
    errcode = 'RR031',
    message = format('Report #%s cannot be finished before simulation%s #%s.', held.report_id,
      case when cardinality(left_ids) > 1 then 's' else '' end, array_to_string(left_ids, ' and #')),
    detail = jsonb_build_object('report_id', held.report_id, 'simulation_ids', left_ids,
      'claim_id', require_finished_simulations.claim_id),
    hint = format('Nothing was changed. First: select * from finish_simulation(%L, %s, <output>)',
      require_finished_simulations.claim_id, left_ids[1]);
end;
$$;

comment on function pgreprise.require_finished_simulations(uuid) is
'Refuses to finish a report while simulations of its claim are to be computed (RR031).';
