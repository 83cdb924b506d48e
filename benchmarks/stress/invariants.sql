-- What must hold at every moment, one query each: its rows are violations. The name stands in the line before.

-- name: nothing is half reset: pending or running means no output and no error
select 'report', id, status, output is null, error_message is null from public.report_outputs
 where (status in ('pending', 'running')) <> (output is null and error_message is null)
union all
select 'simulation', id, status, output is null, error_message is null from public.simulations
 where (status in ('pending', 'running')) <> (output is null and error_message is null);

-- name: every run that ended stands in the history, numbered without a gap
select 'report', report.id, report.run_sequence, count(run.run_sequence), max(run.run_sequence)
  from public.report_outputs as report
  left join pgreprise.report_run as run on run.report_id = report.id
 group by report.id
having count(run.run_sequence) <> report.run_sequence - 1
    or coalesce(max(run.run_sequence), 0) <> report.run_sequence - 1
union all
select 'simulation', simulation.id, simulation.run_sequence, count(run.run_sequence), max(run.run_sequence)
  from public.simulations as simulation
  left join pgreprise.simulation_run as run on run.simulation_id = simulation.id
 group by simulation.id
having count(run.run_sequence) <> simulation.run_sequence - 1
    or coalesce(max(run.run_sequence), 0) <> simulation.run_sequence - 1;

-- name: every run was started by exactly one act, whole or not at all
with started as (
  select 'report' as row_kind, act.report_id as row_id, act.run_sequence
    from pgreprise.rerun as act where act.run_sequence is not null
  union all
  select 'simulation', reset.simulation_id, reset.run_sequence
    from pgreprise.rerun as act
   cross join lateral unnest(act.simulation_ids, act.simulation_run_sequences) as reset(simulation_id, run_sequence)
   where reset.run_sequence is not null
),
ended as (
  select 'report' as row_kind, report_id as row_id, run_sequence + 1 as run_sequence from pgreprise.report_run
  union all
  select 'simulation', simulation_id, run_sequence + 1 from pgreprise.simulation_run
)
select row_kind, row_id, run_sequence, count(started.row_kind), count(ended.row_kind)
  from (select *, 1 as one from started) as started full join ended using (row_kind, row_id, run_sequence)
 group by row_kind, row_id, run_sequence
having count(started.one) <> 1 or count(*) <> 1;

-- name: every result is there, byte for byte: in its row, or in the archive of the run it was of
with recursive held as (
  select 'report' as row_kind, id as row_id, run_sequence, output from public.report_outputs
  union all select 'report', report_id, run_sequence, output from pgreprise.report_run
  union all select 'simulation', id, run_sequence, output from public.simulations
  union all select 'simulation', simulation_id, run_sequence, output from pgreprise.simulation_run
),
newest as (
  select distinct on (row_kind, row_id, run_sequence) row_kind, row_id, run_sequence, checksum
    from stress.written order by row_kind, row_id, run_sequence, written_id desc
),
started as (
  select act.rerun_id, act.undoes, 'report' as row_kind, act.report_id as row_id, act.run_sequence
    from pgreprise.rerun as act where act.run_sequence is not null
  union all
  select act.rerun_id, act.undoes, 'simulation', reset.simulation_id, reset.run_sequence
    from pgreprise.rerun as act
   cross join lateral unnest(act.simulation_ids, act.simulation_run_sequences) as reset(simulation_id, run_sequence)
   where reset.run_sequence is not null
),
-- A run that an undo started began with what the run before the undone act held.
restored as (
  select undo.row_kind, undo.row_id, undo.run_sequence, undone.run_sequence - 1 as from_run
    from started as undo
    join started as undone
      on undone.rerun_id = undo.undoes and undone.row_kind = undo.row_kind and undone.row_id = undo.row_id
),
origin as (
  select held.row_kind, held.row_id, held.run_sequence, held.run_sequence as from_run, newest.checksum
    from held left join newest using (row_kind, row_id, run_sequence)
  union all
  select origin.row_kind, origin.row_id, origin.run_sequence, restored.from_run, newest.checksum
    from origin
    join restored
      on restored.row_kind = origin.row_kind and restored.row_id = origin.row_id
     and restored.run_sequence = origin.from_run
    left join newest
      on newest.row_kind = restored.row_kind and newest.row_id = restored.row_id
     and newest.run_sequence = restored.from_run
   where origin.checksum is null
)
select row_kind, row_id, run_sequence, origin.checksum, md5(held.output::text)
  from held join origin using (row_kind, row_id, run_sequence)
 where held.output is not null and origin.checksum is not null
   and (held.output ->> 'owner' <> row_kind || ' ' || row_id
     or (held.output ->> 'via' is null and md5(held.output::text) is distinct from origin.checksum))
union all
select held.row_kind, held.row_id, held.run_sequence, null, md5(held.output::text)
  from held
 where held.output is not null and held.output ->> 'via' is null and not exists (
   select from origin
    where origin.row_kind = held.row_kind and origin.row_id = held.row_id
      and origin.run_sequence = held.run_sequence and origin.checksum is not null);

-- name: an archived output is missing only where a purge freed it
select 'report', run.report_id, run.run_sequence
  from pgreprise.report_run as run
  join pgreprise.rerun as act on act.report_id = run.report_id and act.run_sequence = run.run_sequence + 1
 where run.had_output and run.output is null and act.purged_at is null
union all
select 'simulation', run.simulation_id, run.run_sequence
  from pgreprise.simulation_run as run
  join lateral (
    select act.purged_at from pgreprise.rerun as act
     cross join lateral unnest(act.simulation_ids, act.simulation_run_sequences) as reset(simulation_id, run_sequence)
     where reset.simulation_id = run.simulation_id and reset.run_sequence = run.run_sequence + 1
  ) as act on act.purged_at is null
 where run.had_output and run.output is null;

-- name: every cache row is in the cache or was deleted by an act, and is what was written
select cached.reform_impact_id, 'lost' from stress.cached as cached
 where not exists (select from public.reform_impact as impact where impact.reform_impact_id = cached.reform_impact_id)
   and not exists (select from pgreprise.rerun as act where cached.reform_impact_id = any (act.reform_impact_ids))
union all
select impact.reform_impact_id, 'changed'
  from public.reform_impact as impact left join stress.cached as cached using (reform_impact_id)
 where cached.checksum is distinct from md5(impact.reform_impact_json::text)
union all
select archived.reform_impact_id, 'archive changed'
  from pgreprise.reform_impact_archive as archived left join stress.cached as cached using (reform_impact_id)
 where cached.checksum is distinct from md5(archived.reform_impact_json::text)
union all
select removed.reform_impact_id, 'not archived'
  from pgreprise.rerun as act cross join lateral unnest(act.reform_impact_ids) as removed(reform_impact_id)
 where act.purged_at is null and act.is_archived and not exists (
   select from pgreprise.reform_impact_archive as archived
    where archived.removal_id = act.removal_id and archived.reform_impact_id = removed.reform_impact_id);

-- name: an idempotency key did one rerun, of its report
select key.idempotency_key, key.target_id, key.made_id, count(act.rerun_id)
  from pgreprise.rerun_key as key
  left join pgreprise.rerun as act on act.idempotency_key = key.idempotency_key
 where key.kind = 'rerun'
 group by key.idempotency_key
having count(act.rerun_id) <> 1 or min(act.rerun_id) <> key.made_id or min(act.report_id) <> key.target_id;

-- name: a batch does a report and a simulation once, and counts right
select 'twice', act.batch_id, act.report_id, count(*)
  from pgreprise.rerun as act where act.batch_id is not null and act.kind = 'rerun'
 group by act.batch_id, act.report_id having count(*) > 1
union all
select 'simulation twice', act.batch_id, reset.simulation_id, count(*)
  from pgreprise.rerun as act
 cross join lateral unnest(act.simulation_ids, act.simulation_run_sequences) as reset(simulation_id, run_sequence)
 where act.batch_id is not null and act.kind = 'rerun' and reset.run_sequence is not null
   -- What was undone is reset again for the reports that are left.
   and act.undone_by is null
 group by act.batch_id, reset.simulation_id having count(*) > 1
union all
select 'count', batch.batch_id, batch.rerun, count(*) filter (where item.state = 'rerun')
  from pgreprise.rerun_batch as batch join pgreprise.rerun_batch_item as item using (batch_id)
 group by batch.batch_id
having batch.rerun <> count(*) filter (where item.state = 'rerun')
    or batch.refused <> count(*) filter (where item.state = 'refused')
    or batch.reports <> count(*)
union all
select 'item without act', item.batch_id, item.report_id, 0
  from pgreprise.rerun_batch_item as item
 where item.state = 'rerun' and not exists (
   select from pgreprise.rerun as act where act.batch_id = item.batch_id and act.report_id = item.report_id);

-- name: an act is undone by an undo of it, once
select act.rerun_id, act.undone_by, undo.rerun_id
  from pgreprise.rerun as act full join pgreprise.rerun as undo on undo.undoes = act.rerun_id
 where (undo.undoes is not null and act.undone_by is distinct from undo.rerun_id)
    or (act.undone_by is not null and undo.rerun_id is null);

-- name: positions of the feed are given once
select feed_position, count(*) from pgreprise.rerun
 where feed_position is not null group by feed_position having count(*) > 1;

-- name: one stored row for each key that was created
select 'report', simulation_1_id, simulation_2_id, year, count(*) from public.report_outputs
 where year >= '2030' group by country_id, simulation_1_id, simulation_2_id, year, api_version having count(*) > 1
union all
select 'simulation', policy_id, null, population_id, count(*) from public.simulations
 group by country_id, population_id, population_type, policy_id having count(*) > 1;

-- name: nobody deadlocks
select datname, deadlocks from pg_stat_database where datname = current_database() and deadlocks > 0;

-- name: claims: no run is finished twice
select 'two', claim.report_id, claim.run_sequence, count(*)
  from pgreprise.claim as claim where claim.ended_as = 'complete'
 group by claim.report_id, claim.run_sequence having count(*) > 1
union all
select 'claimed again', claim.report_id, claim.run_sequence, later.attempt
  from pgreprise.claim as claim
  join pgreprise.claim as later
    on later.report_id = claim.report_id and later.run_sequence = claim.run_sequence and later.attempt > claim.attempt
 where claim.ended_as = 'complete'
union all
select 'not complete', claim.report_id, claim.run_sequence, claim.attempt
  from pgreprise.claim as claim
 where claim.ended_as = 'complete'
   and not exists (
     select from public.report_outputs as report
      where report.id = claim.report_id and report.run_sequence = claim.run_sequence and report.status = 'complete')
   and not exists (
     select from pgreprise.report_run as run
      where run.report_id = claim.report_id and run.run_sequence = claim.run_sequence and run.status = 'complete')
union all
select 'without its simulations', claim.report_id, claim.run_sequence, given.simulation_id
  from pgreprise.claim as claim
  join pgreprise.claim_simulation as given using (claim_id)
 where claim.ended_as = 'complete' and given.computes;

-- name: claims: no report is held by two, and no simulation is computed by two
select 'report', claim.report_id, count(*) from pgreprise.claim as claim
 where claim.ended_at is null group by claim.report_id having count(*) > 1
union all
select 'simulation', given.simulation_id, count(*) from pgreprise.claim_simulation as given
 where given.open and given.computes group by given.simulation_id having count(*) > 1;

-- name: claims: what is held is running at that run, and what is running is held or known as stuck
select 'held', claim.report_id, claim.run_sequence, report.run_sequence, report.status
  from pgreprise.claim as claim
  left join public.report_outputs as report on report.id = claim.report_id
 where claim.ended_at is null and (report.run_sequence <> claim.run_sequence or report.status <> 'running')
union all
select 'computed', given.simulation_id, given.run_sequence, simulation.run_sequence, simulation.status
  from pgreprise.claim_simulation as given
  join public.simulations as simulation on simulation.id = given.simulation_id
 where given.open and given.computes
   and (simulation.run_sequence <> given.run_sequence or simulation.status <> 'running')
union all
select 'running report', report.id, report.run_sequence, null, report.status
  from public.report_outputs as report
 where report.status = 'running'
   and not exists (select from pgreprise.claim as claim where claim.report_id = report.id and claim.ended_at is null)
   and not exists (
     select from pgreprise.run_time as stored
      where stored.row_kind = 'report' and stored.row_id = report.id and stored.run_sequence = report.run_sequence
        and stored.started_at is not null)
union all
select 'running simulation', simulation.id, simulation.run_sequence, null, simulation.status
  from public.simulations as simulation
 where simulation.status = 'running'
   and not exists (
     select from pgreprise.claim_simulation as given
      where given.simulation_id = simulation.id and given.open and given.computes);

-- name: claims: a claim is open or ended, as a whole
select 'half ended', claim.report_id, claim.attempt, claim.ended_as, null::bigint from pgreprise.claim as claim
 where (claim.ended_at is null) <> (claim.ended_as is null)
    or claim.ended_at < claim.claimed_at
    or (claim.ended_as in ('released', 'superseded', 'cancelled') and claim.counts)
    or (claim.ended_as = 'complete' and (claim.revoked_at is not null or claim.cancel_requested_at is not null))
    or (claim.ended_as = 'lost' and (claim.revoked_at is not null or claim.cancel_requested_at is not null))
union all
select 'open', claim.report_id, claim.attempt, claim.ended_as, given.simulation_id
  from pgreprise.claim as claim join pgreprise.claim_simulation as given using (claim_id)
 where given.open and claim.ended_at is not null
union all
select 'attempts', claim.report_id, max(claim.attempt), null, count(*) from pgreprise.claim as claim
 group by claim.report_id, claim.run_sequence having max(claim.attempt) <> count(*);

-- name: claims: an earlier attempt has ended before the next one
select earlier.report_id, earlier.run_sequence, earlier.attempt
  from pgreprise.claim as earlier
  join pgreprise.claim as later
    on later.report_id = earlier.report_id and later.run_sequence = earlier.run_sequence
   and later.attempt > earlier.attempt
 where earlier.ended_at is null;

-- name: a worker that was told so has finished its run, and no other one
select finished.report_id, finished.run_sequence, count(distinct finished.claim_id), min(claim.ended_as)
  from stress.finished as finished left join pgreprise.claim as claim using (claim_id)
 group by finished.report_id, finished.run_sequence
having count(distinct finished.claim_id) > 1 or min(claim.ended_as) is distinct from 'complete'
    or max(claim.ended_as) is distinct from 'complete' or min(claim.run_sequence) <> finished.run_sequence;
