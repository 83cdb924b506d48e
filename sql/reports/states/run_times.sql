-- run_times(row_kind, row_id, run_sequence): when a run of a report or a simulation (row_kind) began to wait, when it
-- was claimed last, when its newest attempt was started, when it was finished, and how many attempts workers made that
-- claim runs; and how long it waited and ran, in seconds. What is not known is null: pending_since of a row that the
-- application inserted, claimed_at and attempt of a run that nobody claimed. Always one row.
-- The times stand in the application's tables of runs where it has them (host_run_times), else in pgreprise.run_time.
-- An undo puts an earlier run back as a new one; where that run was finished, its times are those of the earlier run.
-- PostgreSQL puts this query into the one that asks, so that it costs little for one run and for very many.
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
language sql
stable
begin atomic
  select
    known.pending_since,
    known.claimed_at,
    known.started_at,
    known.finished_at,
    known.attempt,
    -- The application's times are whole seconds.
    extract(
      epoch from case when known.started_at > known.pending_since then known.started_at else known.pending_since end
      - case when known.started_at is not null then known.pending_since end
    )::double precision as wait_seconds,
    extract(epoch from known.finished_at - known.started_at)::double precision as run_seconds
  from (
    select
      candidate.place,
      coalesce(earlier_report.ended_at, earlier_simulation.ended_at, stored.pending_since, host.requested_at)
        as pending_since,
      coalesce(host.started_at, stored.started_at) as started_at,
      coalesce(host.finished_at, stored.finished_at) as finished_at,
      case run_times.row_kind
        when 'report' then (
          select max(claim.claimed_at)
          from pgreprise.claim as claim
          where claim.report_id = run_times.row_id and claim.run_sequence = candidate.run_number
        )
        else (
          select max(given.claimed_at)
          from pgreprise.claim_simulation as given
          where
            given.simulation_id = run_times.row_id
            and given.run_sequence = candidate.run_number
            and (given.computes or given.finished_at is not null)
        )
      end as claimed_at,
      case run_times.row_kind
        when 'report' then (
          select max(claim.attempt)
          from pgreprise.claim as claim
          where claim.report_id = run_times.row_id and claim.run_sequence = candidate.run_number
        )
        else (
          select nullif(count(*), 0)::integer
          from pgreprise.claim_simulation as given
          where
            given.simulation_id = run_times.row_id
            and given.run_sequence = candidate.run_number
            and (given.computes or given.finished_at is not null)
        )
      end as attempt
    from (
      select
        restored.restores_run as run_number,
        1 as place
      from pgreprise.restored_run as restored
      where
        restored.row_kind = run_times.row_kind
        and restored.row_id = run_times.row_id
        and restored.run_sequence = run_times.run_sequence
      union all
      select
        run_times.run_sequence,
        2
    ) as candidate
    cross join pgreprise.setting as setting
    left join pgreprise.run_time as stored
      on
        candidate.run_number = stored.run_sequence
        and stored.row_kind = run_times.row_kind
        and stored.row_id = run_times.row_id
    left join pgreprise.report_run as earlier_report
      on
        candidate.run_number - 1 = earlier_report.run_sequence
        and earlier_report.report_id = run_times.row_id
        and run_times.row_kind = 'report'
    left join pgreprise.simulation_run as earlier_simulation
      on
        candidate.run_number - 1 = earlier_simulation.run_sequence
        and earlier_simulation.simulation_id = run_times.row_id
        and run_times.row_kind = 'simulation'
    -- It is strict: for a null it is not called at all.
    left join lateral pgreprise.host_run_times(
      run_times.row_kind, case when setting.has_run_tables then run_times.row_id end, candidate.run_number
    ) as host on true
  ) as known
  where known.place = 2 or known.finished_at is not null
  order by known.place
  limit 1;
end;

comment on function pgreprise.run_times(text, bigint, integer) is
'When a run began to wait, was claimed, started and finished, how often it was claimed, and how long that took.';
