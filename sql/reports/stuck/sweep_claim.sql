-- sweep_claim(claim_id, as_of): ends one claim whose lease is over at the time as_of, as end_lost_claim() says. It
-- waits for no row: no row where somebody holds one, and where the claim is not over any more.
-- Where a trigger or constraint of the host refuses to change the report, only the claim ends, as lost: else it would
-- stand in the way of every claim. The report stays as it is, and release_stuck_runs() lists it.
create or replace function pgreprise.sweep_claim(claim_id uuid, as_of timestamptz)
returns table (report_id bigint, run_sequence integer, worker text, ended_as text, status text)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = 'off'
set jit = 'off'
as $$
<<own>>
declare
  lapsed         record;
  simulation_ids bigint[];
  constraint_of  text;
  table_of       text;
  schema_of      text;
  message_of     text;
  context_of     text;
  state_of       text;
begin
  select claim.report_id into lapsed from pgreprise.claim as claim where claim.claim_id = sweep_claim.claim_id;
  perform from public.report_outputs as report where report.id = own.lapsed.report_id for no key update skip locked;
  if not found and exists (select from public.report_outputs as report where report.id = own.lapsed.report_id) then
    return;
  end if;
  simulation_ids := array(
    select given.simulation_id
      from pgreprise.claim_simulation as given
     where given.claim_id = sweep_claim.claim_id and given.open and given.computes
  );
  perform from pgreprise.locked_rows('simulations', own.simulation_ids);
  if found then
    return;
  end if;
  -- Its worker may have renewed it, or another sweep ended it.
  perform from pgreprise.claim as claim
    where claim.claim_id = sweep_claim.claim_id
      and claim.ended_at is null
      and claim.lease_until < sweep_claim.as_of
      for no key update skip locked;
  if not found then
    return;
  end if;
  if (select setting.has_run_tables from pgreprise.setting as setting)
    and not pgreprise.host_runs_are_free(lapsed.report_id, simulation_ids)
  then
    return;
  end if;

  begin
    return query
      select ended.* from pgreprise.end_lost_claim(sweep_claim.claim_id, sweep_claim.as_of) as ended;
  exception
    when others then
      get stacked diagnostics
        state_of = returned_sqlstate, constraint_of = constraint_name, table_of = table_name, schema_of = schema_name,
        message_of = message_text, context_of = pg_exception_context;
      if state_of not in ('RR022', '22001')
        and not pgreprise.is_refusal_of_host(state_of, context_of, schema_of, constraint_of, table_of)
      then
        raise;
      end if;
      return query
        update pgreprise.claim as claim
           set ended_at = clock_timestamp(), ended_as = 'lost',
               ended_because = left('the application refuses to put the report back: '
                 || pgreprise.host_message(message_of, constraint_of), 1000)
         where claim.claim_id = sweep_claim.claim_id
        returning claim.report_id, claim.run_sequence, claim.worker, claim.ended_as, 'running';
      update pgreprise.claim_simulation as given
         set open = false
       where given.claim_id = sweep_claim.claim_id and given.open;
  end;
end;
$$;

comment on function pgreprise.sweep_claim(uuid, timestamptz) is 'Ends one claim whose lease is over.';
