-- A report whose simulations are finished: claim it, and finish it with its output.
select * from public.claim_report('worker ' || :client_id)
\gset
select public.finish_report(:claim_id::uuid, :output::json);
