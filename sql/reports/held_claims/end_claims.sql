-- end_claims(report_ids, ended_as, because, simulation_ids): ends the open claims of these reports, and revokes those
-- of other reports that rely on the given simulations or compute them. The caller has locked the rows of both, and is
-- about to write the reports, and to start new runs of the simulations. A claim that is revoked ends at the next sweep,
-- which puts its report back to pending; until then its worker is refused.
-- Simulations that an ended claim was computing are pending again, but for the given ones.
create or replace function pgreprise.end_claims(
  report_ids bigint[], ended_as text, because text, simulation_ids bigint[] default '{}'
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = 'off'
set jit = 'off'
as $$
<<own>>
declare
  open_ids     uuid[];
  locked_ids   uuid[];
  computed_ids bigint[];
  ended        record;
begin
  open_ids := array(
    select claim.claim_id
      from pgreprise.claim as claim
     where claim.ended_at is null and claim.report_id = any (end_claims.report_ids)
  );
  if cardinality(open_ids) > 0 then
    -- Simulations are locked before claims, also those that a claim computes and nobody else has asked for.
    computed_ids := array(
      select given.simulation_id
        from pgreprise.claim_simulation as given
       where given.claim_id = any (own.open_ids) and given.open and given.computes
    );
    perform from public.simulations as simulation
      where simulation.id = any (own.computed_ids)
      order by simulation.id
        for no key update;
  end if;
  locked_ids := pgreprise.lock_claims(end_claims.report_ids, end_claims.simulation_ids);
  if cardinality(locked_ids) = 0 then
    return;
  end if;

  for ended in
    select claim.claim_id
      from pgreprise.claim as claim
     where claim.claim_id = any (own.locked_ids) and claim.report_id = any (end_claims.report_ids)
     order by claim.claim_id
  loop
    perform pgreprise.end_claim(ended.claim_id, end_claims.ended_as, end_claims.because, false,
      kept_simulation_ids => end_claims.simulation_ids);
  end loop;

  update pgreprise.claim as claim
     set revoked_at = clock_timestamp(), ended_because = end_claims.because, counts = false,
         lease_until = least(claim.lease_until, clock_timestamp())
   where claim.claim_id = any (own.locked_ids) and claim.ended_at is null and claim.revoked_at is null;
  -- Their runs are over, so that others can compute the next ones.
  update pgreprise.claim_simulation as given
     set open = false
   where given.claim_id = any (own.locked_ids)
     and given.simulation_id = any (end_claims.simulation_ids)
     and given.open;
end;
$$;

comment on function pgreprise.end_claims(bigint[], text, text, bigint[]) is
'Ends the open claims of reports, and revokes those of others that rely on simulations.';
