-- sweep_claims(max_rows, as_of): ends claims whose lease is over at the time as_of, at most max_rows, each as
-- end_lost_claim() says. Claims of deleted reports are ended too. It waits for no row: a claim of which somebody holds
-- one is left to the next sweep.
-- No index has lease_until: a heartbeat changes it. This reads the open claims, which are few.
create or replace function pgreprise.sweep_claims(max_rows integer, as_of timestamptz)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = 'off'
set jit = 'off'
as $$
<<own>>
declare
  lapsed_id uuid;
  swept     integer := 0;
begin
  foreach lapsed_id in array array(
    select claim.claim_id
      from pgreprise.claim as claim
     where claim.ended_at is null and claim.lease_until < sweep_claims.as_of
     order by claim.lease_until
     limit sweep_claims.max_rows + 8
  ) loop
    perform from pgreprise.sweep_claim(lapsed_id, sweep_claims.as_of);
    if found then
      swept := swept + 1;
      exit when swept = sweep_claims.max_rows;
    end if;
  end loop;
end;
$$;

comment on function pgreprise.sweep_claims(integer, timestamptz) is
'Ends claims whose lease is over, and puts their reports back to pending.';
