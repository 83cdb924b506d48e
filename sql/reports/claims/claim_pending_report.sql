-- claim_pending_report(report_id, country_id, report_type, worker, lease, as_of): claims one report, if it is pending,
-- due, of that country and type, and nobody holds it, one of its simulations that is not finished, or their rows. It
-- waits for no row.
-- The report and the simulations that it has to compute are running then. A report with a linkage defect ends as error
-- with the message of the defect, and is not claimed: it would be handed out for ever.
-- Returns the claim, or null.
create or replace function pgreprise.claim_pending_report(
  report_id bigint, country_id text, report_type text, worker text, lease interval, as_of timestamptz
)
returns pgreprise.claim_row
language plpgsql
set search_path = pg_catalog, pg_temp
-- Every statement finds its rows by their key. The tables of claims are empty at first.
set plan_cache_mode = 'force_generic_plan'
set enable_seqscan = 'off'
set jit = 'off'
as $$
-- The table of an older application has no column report_spec_json. Then the name means the variable, which is null.
#variable_conflict use_column
<<own>>
declare
  report_spec_json constant json := null;
  target       record;
  linked       record;
  defect       record;
  earlier      record;
  held         record;
  linked_ids   bigint[];
  finished_ids bigint[];
  computed_ids bigint[];
  started_id   bigint;
  made         pgreprise.claim;
  claimed      pgreprise.claim_row;
begin
  select report.id, report.country_id, report.year, report.simulation_1_id, report.simulation_2_id,
      report.run_sequence, (select report_spec_json::json from (select report.*) as own_columns) as spec
    into target
    from public.report_outputs as report
   where report.id = claim_pending_report.report_id
     and report.status = 'pending'
     and (claim_pending_report.country_id is null or report.country_id = claim_pending_report.country_id)
     for no key update skip locked;
  if not found then
    return null;
  end if;
  -- An earlier claim of this run computed something else: this is another row, which has the id of a deleted one.
  linked_ids := array_remove(array[target.simulation_1_id, target.simulation_2_id]::bigint[], null);
  select coalesce(array_agg(claim.claim_id), '{}') as claim_ids, coalesce(max(claim.attempt), 0) as last_attempt
    into earlier
    from pgreprise.claim as claim
   where claim.report_id = own.target.id and claim.run_sequence = own.target.run_sequence;
  if cardinality(earlier.claim_ids) > 0 and exists (
    select from pgreprise.claim_simulation as given
     where given.claim_id = any (own.earlier.claim_ids) and given.simulation_id <> all (own.linked_ids)
  ) then
    select claim.claim_id into held
      from pgreprise.claim as claim
     where claim.report_id = own.target.id and claim.run_sequence = own.target.run_sequence and claim.ended_at is null
       for no key update skip locked;
    if found then
      perform pgreprise.end_claim(held.claim_id, 'superseded', 'the report was deleted, or links other simulations',
        counts => false);
    end if;
    perform pgreprise.skip_used_run_numbers(array[target.id], '{}');
    select report.run_sequence into target.run_sequence
      from public.report_outputs as report
     where report.id = own.target.id;
    earlier.last_attempt := 0;
  end if;

  if exists (select from pgreprise.claim as other where other.report_id = own.target.id and other.ended_at is null)
    or not pgreprise.looks_free(target.id, target.run_sequence, target.simulation_1_id, target.simulation_2_id, null,
      claim_pending_report.as_of)
  then
    return null;
  end if;

  linked := pgreprise.linked_simulations(target.country_id, target.simulation_1_id, target.simulation_2_id);
  if linked.population_type_1 <> claim_pending_report.report_type then
    return null;
  end if;
  -- A report without an economy cache version (RR006) can be computed all the same.
  select found_defect.errcode, found_defect.message into defect
    from pgreprise.report_defect(target.id, target.country_id, target.year, target.simulation_1_id,
      linked.population_type_1, target.simulation_2_id, linked.population_type_2, null) as found_defect
   where found_defect.errcode <> 'RR006';
  if found then
    perform pgreprise.write_report_state(target.id, 'error', null,
      format('%s (%s)', defect.message, defect.errcode), is_whole => true);
    return null;
  end if;

  -- Workers of other reports may rely on the same finished simulation at the same time; one that is to be computed is
  -- for one worker.
  finished_ids := array(
    select simulation.id
      from public.simulations as simulation
     where simulation.id = any (own.linked.simulation_ids) and simulation.status in ('complete', 'error')
     order by simulation.id
       for share skip locked
  );
  computed_ids := array(
    select simulation.id
      from public.simulations as simulation
     where simulation.id = any (own.linked.simulation_ids)
       and simulation.id <> all (own.finished_ids)
       and simulation.status not in ('complete', 'error')
     order by simulation.id
       for no key update skip locked
  );
  if cardinality(finished_ids) + cardinality(computed_ids) < cardinality(linked.simulation_ids)
    or exists (
      select from pgreprise.claim_simulation as given
       where given.simulation_id = any (own.computed_ids) and given.open and given.computes
    )
  then
    return null;
  end if;

  if (select setting.has_run_tables from pgreprise.setting as setting)
    and not pgreprise.host_runs_are_free(target.id, computed_ids)
  then
    return null;
  end if;

  insert into pgreprise.claim as claim
    (claim_id, report_id, run_sequence, attempt, country_id, worker, lease, claimed_at, heartbeat_at, lease_until)
  values (pgreprise.new_claim_id(pgreprise.id_shard('report', target.id)), target.id, target.run_sequence,
    earlier.last_attempt + 1, target.country_id, claim_pending_report.worker, claim_pending_report.lease,
    claim_pending_report.as_of, claim_pending_report.as_of, claim_pending_report.as_of + claim_pending_report.lease)
  returning claim.* into made;
  insert into pgreprise.claim_simulation (claim_id, simulation_id, run_sequence, computes, claimed_at)
  select own.made.claim_id, simulation.id, simulation.run_sequence, simulation.id = any (own.computed_ids),
      claim_pending_report.as_of
    from public.simulations as simulation
   where simulation.id = any (own.linked.simulation_ids);
  -- Another claim may be about to delete it (forget_retry). With "in" a plan may read all retries.
  delete from pgreprise.retry as retry
   where retry.report_id = (
     select waiting.report_id
       from pgreprise.retry as waiting
      where waiting.report_id = own.target.id
        for update skip locked
   );

  perform pgreprise.write_report_state(target.id, 'running', null, null, is_whole => true);
  foreach started_id in array computed_ids loop
    perform pgreprise.write_simulation_state(started_id, 'running', null, null, is_whole => true);
  end loop;

  claimed.claim_id := made.claim_id;
  claimed.report_id := made.report_id;
  claimed.country_id := made.country_id;
  claimed.run_sequence := made.run_sequence;
  claimed.attempt := made.attempt;
  claimed.worker := made.worker;
  claimed.lease_until := made.lease_until;
  claimed.lease_seconds_left := extract(epoch from made.lease_until - clock_timestamp());
  claimed.report_type := linked.population_type_1;
  claimed.year := target.year;
  claimed.region := linked.region;
  claimed.report_spec_json := target.spec;
  claimed.simulations := (
    select jsonb_agg(
        jsonb_build_object('simulation_id', simulation.id, 'run_sequence', simulation.run_sequence,
          'status', simulation.status, 'policy_id', simulation.policy_id, 'population_id', simulation.population_id,
          'population_type', simulation.population_type, 'computes', simulation.id = any (own.computed_ids))
        order by array_position(own.linked.simulation_ids, simulation.id::bigint)
      )
      from public.simulations as simulation
     where simulation.id = any (own.linked.simulation_ids)
  );
  return claimed;
end;
$$;

comment on function pgreprise.claim_pending_report(bigint, text, text, text, interval, timestamptz) is
'Claims one report, if it is pending and nobody holds it or its simulations.';
