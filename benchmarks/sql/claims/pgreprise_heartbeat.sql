-- A worker claims once, and is heard again and again.
\if :n = 0
select * from public.claim_report('worker ' || :client_id)
\gset
\endif
\set n :n + 1
select * from public.heartbeat_claim(:claim_id::uuid, progress => 0.5);
