-- release_run(report_id, run_sequence, reason, rerun_id, idempotency_key): puts the run of a report that nobody
-- computes any more back to pending, with those of its simulations that are running and that no claim computes, and
-- records the act, under the number rerun_id where the caller has one. It waits for no row.
-- Returns released, locked, or gone where the report is not running any more.
create or replace function pgreprise.release_run(
  report_id bigint,
  run_sequence integer,
  reason text default null,
  rerun_id bigint default null,
  idempotency_key text default null
)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = 'off'
set jit = 'off'
as $$
<<own>>
declare
  target    record;
  linked_id bigint;
begin
  select report.id, report.country_id::text as country_id, report.status::text as status, report.run_sequence,
      report.simulation_1_id::bigint as simulation_1_id, report.simulation_2_id::bigint as simulation_2_id
    into target
    from public.report_outputs as report
   where report.id = release_run.report_id
     for no key update skip locked;
  if not found then
    return case when exists (select from public.report_outputs as report where report.id = release_run.report_id)
      then 'locked' else 'gone' end;
  end if;
  if target.status <> 'running' or target.run_sequence <> release_run.run_sequence or exists (
    select from pgreprise.claim as claim where claim.report_id = own.target.id and claim.ended_at is null
  ) then
    return 'gone';
  end if;
  if exists (
    select from pgreprise.locked_rows('simulations',
      array_remove(array[own.target.simulation_1_id, own.target.simulation_2_id], null))
  ) then
    return 'locked';
  end if;

  for linked_id in
    select simulation.id
      from public.simulations as simulation
     where simulation.id in (own.target.simulation_1_id, own.target.simulation_2_id)
       and simulation.country_id = own.target.country_id
       and simulation.status = 'running'
       and not exists (
         select from pgreprise.claim_simulation as given
          where given.simulation_id = simulation.id and given.open and given.computes
       )
     order by simulation.id
  loop
    perform pgreprise.write_simulation_state(linked_id, 'pending', null, null, is_whole => true);
  end loop;
  perform pgreprise.make_claimable(target.id, target.run_sequence);
  insert into pgreprise.rerun as act
    (rerun_id, kind, report_id, country_id, of_run, idempotency_key, is_archived, created_at, reason)
  values
    (coalesce(release_run.rerun_id, pgreprise.new_act_id(pgreprise.id_shard('report', target.id))), 'release_run',
     target.id, target.country_id, target.run_sequence, release_run.idempotency_key, false, clock_timestamp(),
     release_run.reason);
  return 'released';
end;
$$;

comment on function pgreprise.release_run(bigint, integer, text, bigint, text) is
'Puts the run of a report that nobody computes any more back to pending.';
