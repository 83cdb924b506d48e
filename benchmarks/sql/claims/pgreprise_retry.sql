-- A report that fails and may be claimed again in an hour.
select * from public.claim_report('worker ' || :client_id)
\gset
select public.fail_report(:claim_id::uuid, 'it failed', retry_after => interval '1 hour');
