-- claims_on(report_ids, simulation_ids): the open claims of these reports, and those that rely on these simulations or
-- compute them; a claim may be listed more than once. This is the only place that says which claims a new run ends or
-- revokes. PostgreSQL puts this query into the one that asks, so that asking costs no statement of its own.
create or replace function pgreprise.claims_on(report_ids bigint[], simulation_ids bigint[])
returns table (claim_id uuid)
language sql
stable
begin atomic
  select claim.claim_id
  from pgreprise.claim as claim
  where claim.ended_at is null and claim.report_id = any(claims_on.report_ids)
  union all
  select given.claim_id
  from pgreprise.claim_simulation as given
  where given.open and given.simulation_id = any(claims_on.simulation_ids);
end;

comment on function pgreprise.claims_on(bigint[], bigint[]) is
'The open claims of reports, and those that rely on simulations.';
