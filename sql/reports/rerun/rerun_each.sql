-- rerun_each(report_ids, batch_id, done_ids, reason): reruns many reports (rerun_many), and leaves out those that a
-- trigger or constraint of the host refuses: they are refused with its errcode and message, and nothing of them is
-- changed. Where one is among them, the reports are rerun by halves, so one of a thousand costs some twenty statements
-- more. Constraints that are deferred to the end of the transaction are checked here, so that they refuse one report
-- only.
-- Returns what rerun_many() returns. done_ids are simulations that were reset already.
-- Other errors are raised as they are.
create or replace function pgreprise.rerun_each(
  report_ids bigint[], batch_id bigint default null, done_ids bigint[] default '{}', reason text default null
)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  half           constant integer := cardinality(rerun_each.report_ids) / 2;
  done           jsonb;
  rest           jsonb;
  constraint_of  text;
  table_of       text;
  schema_of      text;
  message_of     text;
  context_of     text;
begin
  begin
    done := pgreprise.rerun_many(rerun_each.report_ids, rerun_each.batch_id, rerun_each.done_ids,
      rerun_each.reason);
    set constraints all immediate;
    return done;
  exception
    when others then
      get stacked diagnostics
        constraint_of = constraint_name, table_of = table_name, schema_of = schema_name,
        message_of = message_text, context_of = pg_exception_context;
      if sqlstate not in ('RR021', 'RR022')
        and not pgreprise.is_refusal_of_host(sqlstate, context_of, schema_of, constraint_of, table_of)
      then
        raise;
      end if;
      if half = 0 then
        return jsonb_build_object('rerun', 0, 'simulations_reset', 0, 'economy_cache_rows_deleted', 0,
          'same_key', jsonb_build_array(), 'refused', jsonb_build_array(jsonb_build_object(
            'report_id', rerun_each.report_ids[1], 'errcode', sqlstate,
            'message', pgreprise.host_message(message_of, constraint_of))));
      end if;
  end;

  -- Its end has given the locks back. They are taken in the usual order before the halves take them one by one.
  perform pgreprise.lock_reports(rerun_each.report_ids);

  done := pgreprise.rerun_each(report_ids[:half], rerun_each.batch_id, rerun_each.done_ids, rerun_each.reason);
  rest := pgreprise.rerun_each(report_ids[half + 1:], rerun_each.batch_id, rerun_each.done_ids || array(
    select used.simulation_id::bigint
      from public.report_outputs as report
     cross join lateral unnest(array[report.simulation_1_id, report.simulation_2_id]) as used(simulation_id)
     where report.id = any (rerun_each.report_ids[:own.half])
       and used.simulation_id is not null
       and not exists (
         select from jsonb_array_elements(own.done -> 'refused') as refusal(item)
          where (refusal.item ->> 'report_id')::bigint = report.id
       )
  ), rerun_each.reason);
  return (
    select jsonb_object_agg(result.name, case jsonb_typeof(result.value)
        when 'array' then result.value || (own.rest -> result.name)
        else to_jsonb((result.value)::numeric + (own.rest -> result.name)::numeric) end)
      from jsonb_each(own.done) as result(name, value)
  );
end;
$$;

comment on function pgreprise.rerun_each(bigint[], bigint, bigint[], text) is
'Reruns many reports, without those that a trigger or constraint of the host refuses.';
