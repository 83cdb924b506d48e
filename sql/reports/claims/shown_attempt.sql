-- shown_attempt(claim): an attempt as it is listed. An open one that was revoked, because a simulation that it relies
-- on was reset, shows why in ended_because.
create or replace function pgreprise.shown_attempt(claim pgreprise.claim)
returns pgreprise.attempt_row
language sql
stable
begin atomic
  select
    (shown_attempt.claim).report_id,
    (shown_attempt.claim).country_id,
    (shown_attempt.claim).run_sequence,
    (shown_attempt.claim).attempt,
    (shown_attempt.claim).worker,
    (shown_attempt.claim).claimed_at,
    (shown_attempt.claim).heartbeat_at,
    (shown_attempt.claim).lease_until,
    (shown_attempt.claim).progress,
    (shown_attempt.claim).message,
    (shown_attempt.claim).cancel_requested_at is not null as cancel_requested,
    (shown_attempt.claim).ended_at,
    (shown_attempt.claim).ended_as,
    (shown_attempt.claim).ended_because,
    (shown_attempt.claim).counts,
    extract(
      epoch from coalesce((shown_attempt.claim).ended_at, clock_timestamp()) - (shown_attempt.claim).claimed_at
    )::double precision as run_seconds;
end;

comment on function pgreprise.shown_attempt(pgreprise.claim) is
'An attempt as it is listed, without the id of its claim.';
