-- run_times(row_kind, row_id, run_sequence): when a run of a report or a simulation (row_kind) began to wait, when it
-- was claimed last, when its newest attempt was started, when it was finished, and how many attempts workers made that
-- claim runs; and how long it waited and ran, in seconds. What is not known is null: pending_since of a row that the
-- application inserted, claimed_at and attempt of a run that nobody claimed. Always one row.
-- The times stand in the application's tables of runs where it has them (host_run_times), else in pgreprise.run_time.
-- An undo puts an earlier run back as a new one; where that run was finished, its times are those of the earlier run.
create or replace function pgreprise.run_times(row_kind text, row_id bigint, run_sequence integer)
returns table (
  pending_since timestamptz,
  claimed_at timestamptz,
  started_at timestamptz,
  finished_at timestamptz,
  attempt integer,
  wait_seconds double precision,
  run_seconds double precision
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
-- The tables are empty at first. A plan from that time would scan them, and a session keeps its plans.
set enable_seqscan = 'off'
as $$
<<own>>
declare
  original constant integer := pgreprise.original_run(run_times.row_kind, run_times.row_id, run_times.run_sequence);
  known    record;
begin
  if original <> run_times.run_sequence then
    select earlier.* into known
      from pgreprise.run_times(run_times.row_kind, run_times.row_id, own.original) as earlier;
    if known.finished_at is not null then
      return query select known.pending_since, known.claimed_at, known.started_at, known.finished_at, known.attempt,
        known.wait_seconds, known.run_seconds;
      return;
    end if;
  end if;

  select stored.pending_since, stored.started_at, stored.finished_at into pending_since, started_at, finished_at
    from pgreprise.run_time as stored
   where stored.row_kind = run_times.row_kind
     and stored.row_id = run_times.row_id
     and stored.run_sequence = run_times.run_sequence;
  if (select setting.has_run_tables from pgreprise.setting as setting) then
    select coalesce(run_times.pending_since, host.requested_at), coalesce(host.started_at, run_times.started_at),
        coalesce(host.finished_at, run_times.finished_at)
      into pending_since, started_at, finished_at
      from (values (1)) as one_row
      left join pgreprise.host_run_times(run_times.row_kind, run_times.row_id, run_times.run_sequence) as host on true;
  end if;

  if run_times.row_kind = 'report' then
    pending_since := coalesce((
      select run.ended_at
        from pgreprise.report_run as run
       where run.report_id = run_times.row_id and run.run_sequence = run_times.run_sequence - 1
    ), pending_since);
    select max(claim.attempt), max(claim.claimed_at) into attempt, claimed_at
      from pgreprise.claim as claim
     where claim.report_id = run_times.row_id and claim.run_sequence = run_times.run_sequence;
  else
    pending_since := coalesce((
      select run.ended_at
        from pgreprise.simulation_run as run
       where run.simulation_id = run_times.row_id and run.run_sequence = run_times.run_sequence - 1
    ), pending_since);
    select nullif(count(*) filter (where given.computes or given.finished_at is not null), 0)::integer,
        max(given.claimed_at) filter (where given.computes or given.finished_at is not null)
      into attempt, claimed_at
      from pgreprise.claim_simulation as given
     where given.simulation_id = run_times.row_id and given.run_sequence = run_times.run_sequence;
  end if;
  wait_seconds := extract(epoch from started_at - pending_since);
  run_seconds := extract(epoch from finished_at - started_at);
  return next;
end;
$$;

comment on function pgreprise.run_times(text, bigint, integer) is
'When a run began to wait, was claimed, started and finished, how often it was claimed, and how long that took.';
