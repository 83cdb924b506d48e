-- A report with its two simulations: four calls, each a transaction.
select claim_id, simulations->0->>'simulation_id' as simulation_1, simulations->1->>'simulation_id' as simulation_2
  from public.claim_report('worker ' || :client_id)
\gset
select public.finish_simulation(:claim_id::uuid, :simulation_1::bigint, :output::json);
select public.finish_simulation(:claim_id::uuid, :simulation_2::bigint, :output::json);
select public.finish_report(:claim_id::uuid, :output::json);
