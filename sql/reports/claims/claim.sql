-- claim: the attempts to compute runs of reports, by workers that claim them: one row an attempt, which is never taken
-- back. A claim is open until ended_at; it may be renewed until somebody ends it, also when its lease is over.
-- claim_id is the fence within a run, as run_sequence is between runs. It is a random number: a sequence may give out a
-- number again after a failover, and numbers can be guessed.
-- A claim that was revoked, because a simulation that it relies on was reset, is ended by the next sweep.
-- A heartbeat changes no column of an index, and finds room beside the row.
create table pgreprise.claim (
  claim_id uuid not null default gen_random_uuid(),
  report_id bigint not null,
  run_sequence integer not null,
  attempt integer not null,
  country_id text not null,
  worker text not null,
  lease interval not null,
  claimed_at timestamptz not null,
  heartbeat_at timestamptz not null,
  lease_until timestamptz not null,
  progress real,
  message text,
  cancel_requested_at timestamptz,
  revoked_at timestamptz,
  ended_at timestamptz,
  ended_as text,
  ended_because text,
  counts boolean not null default true,
  session_role text not null default pgreprise.session_role(),
  actor text default pgreprise.actor(),
  constraint claim_pkey primary key (claim_id),
  constraint claim_progress_check check (progress between 0 and 1),
  constraint claim_ended_as_check check (
    ended_as in ('complete', 'error', 'lost', 'superseded', 'cancelled', 'released')
  ),
  constraint claim_ended_check check ((ended_at is null) = (ended_as is null))
)
with (fillfactor = 60);

-- Two open claims of one report cannot exist, whatever a routine does. It also lists the open claims; lease_until is in
-- no index, because a heartbeat changes it.
create unique index claim_open on pgreprise.claim (report_id) where ended_at is null;
create index claim_run on pgreprise.claim (report_id, run_sequence, attempt);

comment on table pgreprise.claim is 'The attempts of workers to compute runs of reports, one row an attempt.';
comment on column pgreprise.claim.attempt is 'the number of the attempt within the run';
comment on column pgreprise.claim.worker is 'a name for people; nothing is decided by it';
comment on column pgreprise.claim.lease is 'how long the worker may be silent';
comment on column pgreprise.claim.progress is 'what the worker last said: 0 to 1';
comment on column pgreprise.claim.message is 'what the worker last said';
comment on column pgreprise.claim.revoked_at is 'when a simulation that the claim relies on was reset';
comment on column pgreprise.claim.ended_because is 'why the claim ended or was revoked, for people';
comment on column pgreprise.claim.counts is 'whether the attempt counts when too many were lost';

grant select, insert, update on table pgreprise.claim to pgreprise_owner;
