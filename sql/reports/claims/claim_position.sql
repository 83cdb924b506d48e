-- claim_position: where the next claim goes on looking, for each combination of conditions. A claim looks at a limited
-- number of pending reports. Where none of them could be claimed, because they wait for a retry, for a simulation that
-- another worker computes, or are of another type, the next claim continues behind them. At the end, and some minutes
-- later, it begins again.
create table pgreprise.claim_position (
  country_id text not null,
  report_type text not null,
  after_report_id bigint not null,
  kept_at timestamptz not null,
  constraint claim_position_pkey primary key (country_id, report_type)
)
with (fillfactor = 50);

comment on table pgreprise.claim_position is
'Where the next claim goes on looking, after one that could claim none of many pending reports.';

grant select, insert, update, delete on table pgreprise.claim_position to pgreprise_owner;
