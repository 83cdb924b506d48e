-- require_finished_simulations(claim_id): refuses to finish a report while simulations of its claim are to be computed:
-- a report is computed from them. Nor is it finished from a simulation that was reset since: the claim was not revoked
-- where the transaction of the reset began, at repeatable read, before the claim.
-- Raises RR007 for a simulation that was deleted, RR011 for one that was reset, RR027 when the report links others now,
-- RR031 with the ids of those to be computed.
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
  checked record;
  held    pgreprise.claim;
  moved   record;
begin
  select array_agg(given.simulation_id order by given.simulation_id)
        filter (where given.run_sequence is distinct from simulation.run_sequence) as moved_ids,
      array_agg(given.simulation_id order by given.simulation_id)
        filter (where given.computes and simulation.status not in ('complete', 'error')) as left_ids,
      bool_or(given.simulation_id not in (report.simulation_1_id, coalesce(report.simulation_2_id,
        report.simulation_1_id))) as are_others,
      max(claim.report_id) as report_id
    into checked
    from pgreprise.claim as claim
    join pgreprise.claim_simulation as given on given.claim_id = claim.claim_id
    left join public.simulations as simulation on simulation.id = given.simulation_id
    left join public.report_outputs as report on report.id = claim.report_id
   where claim.claim_id = require_finished_simulations.claim_id;

  if checked.moved_ids is not null then
    select given.run_sequence, simulation.run_sequence as current_run into moved
      from pgreprise.claim_simulation as given
      left join public.simulations as simulation on simulation.id = given.simulation_id
     where given.claim_id = require_finished_simulations.claim_id and given.simulation_id = own.checked.moved_ids[1];
    if moved.current_run is null then
      perform pgreprise.raise_not_found('simulation', checked.moved_ids[1]);
    end if;
    perform pgreprise.raise_run_not_current('simulation', checked.moved_ids[1], moved.current_run,
      moved.run_sequence);
  end if;
  if checked.are_others then
    select claim.* into held
      from pgreprise.claim as claim
     where claim.claim_id = require_finished_simulations.claim_id;
    held.ended_because := 'the report links other simulations now';
    perform pgreprise.raise_claim_over(held);
  end if;
  if checked.left_ids is null then
    return;
  end if;

  raise exception using
    errcode = 'RR031',
    message = format('Report #%s cannot be finished before simulation%s #%s.', checked.report_id,
      case when cardinality(checked.left_ids) > 1 then 's' else '' end, array_to_string(checked.left_ids, ' and #')),
    detail = jsonb_build_object('report_id', checked.report_id, 'simulation_ids', checked.left_ids,
      'claim_id', require_finished_simulations.claim_id),
    hint = format('Nothing was changed. First: select * from finish_simulation(%L, %s, <output>)',
      require_finished_simulations.claim_id, checked.left_ids[1]);
end;
$$;

comment on function pgreprise.require_finished_simulations(uuid) is
'Refuses to finish a report while simulations of its claim are to be computed (RR031).';
