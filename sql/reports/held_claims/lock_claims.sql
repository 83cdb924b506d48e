-- lock_claims(report_ids, simulation_ids): locks the open claims of these reports, and those that rely on these
-- simulations or compute them, by id. Reports and simulations are locked before. Returns their ids.
create or replace function pgreprise.lock_claims(report_ids bigint[], simulation_ids bigint[] default '{}')
returns uuid[]
language plpgsql
set search_path = pg_catalog, pg_temp
-- The tables are empty at first. A plan from that time would scan them, and a session keeps its plans.
set enable_seqscan = 'off'
set jit = 'off'
as $$
<<own>>
declare
  found_ids uuid[];
begin
  found_ids := array(
    select distinct held.claim_id from pgreprise.claims_on(lock_claims.report_ids, lock_claims.simulation_ids) as held
  );
  if cardinality(found_ids) = 0 then
    return found_ids;
  end if;

  return array(
    select claim.claim_id
      from pgreprise.claim as claim
     where claim.claim_id = any (own.found_ids) and claim.ended_at is null
     order by claim.claim_id
       for no key update
  );
end;
$$;

comment on function pgreprise.lock_claims(bigint[], bigint[]) is
'Locks the open claims of reports, and those that rely on simulations, by id.';
