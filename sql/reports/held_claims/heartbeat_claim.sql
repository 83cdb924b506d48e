-- heartbeat_claim(claim_id, lease, progress, message): a worker is alive: its claim is good for another lease (the
-- former one where none is given), also when the last one was over and nobody has taken the report. progress, 0 to 1,
-- and message are for those who look; a null keeps what is there. It locks only the claim.
-- Where somebody has cancelled the run, cancel_requested is true, and the lease is not renewed: the worker stops and
-- calls release_claim(), else the run ends when the lease is over.
-- Raises RR016 for a lease or a progress that no claim can have, RR017 when the caller's token may not, RR027 when the
-- claim is over, and why; RR028 when there is no such claim.
create or replace function public.heartbeat_claim(
  claim_id uuid, lease interval default null, progress real default null, message text default null
)
returns table (lease_until timestamptz, lease_seconds_left double precision, cancel_requested boolean)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- The tables of claims are empty at first. A plan from that time would scan them, and a session keeps its plans.
set enable_seqscan = 'off'
set jit = 'off'
as $$
declare
  held pgreprise.claim;
begin
  perform pgreprise.enter('reports:work');
  if heartbeat_claim.lease is not null then
    perform pgreprise.check_lease(heartbeat_claim.lease);
  end if;
  if not coalesce(heartbeat_claim.progress between 0 and 1, true) then
    raise exception using
      errcode = 'RR016',
      message = 'progress must be between 0 and 1.',
      detail = jsonb_build_object('claim_id', heartbeat_claim.claim_id),
      hint = 'Nothing was changed. Half of the work is 0.5.';
  end if;

  update pgreprise.claim as claim
     set heartbeat_at = clock_timestamp(),
         lease = coalesce(heartbeat_claim.lease, claim.lease),
         lease_until = case
           when claim.cancel_requested_at is null
             then clock_timestamp() + coalesce(heartbeat_claim.lease, claim.lease)
           else claim.lease_until
         end,
         progress = coalesce(heartbeat_claim.progress, claim.progress),
         message = coalesce(left(heartbeat_claim.message, 1000), claim.message)
   where claim.claim_id = heartbeat_claim.claim_id
     and claim.ended_at is null
     and claim.revoked_at is null
  returning claim.* into held;
  if not found then
    select claim.* into held from pgreprise.claim as claim where claim.claim_id = heartbeat_claim.claim_id;
    if not found then
      perform pgreprise.raise_no_claim(heartbeat_claim.claim_id);
    end if;
    perform pgreprise.raise_claim_over(held);
  end if;

  return query
    select held.lease_until, extract(epoch from held.lease_until - clock_timestamp())::double precision,
        held.cancel_requested_at is not null;
end;
$$;

comment on function public.heartbeat_claim(uuid, interval, real, text) is
'Renews the lease of a claim: the worker is alive.';

grant execute on function public.heartbeat_claim(uuid, interval, real, text)
to pgreprise_worker, pgreprise_api, pgreprise_dba;
