-- install_shard_functions: schema pgreprise_shard, with a function for each entry point that a router calls: the caller
-- first, then the arguments of the entry point; it returns the columns of the answer after the refusal, which is null.
-- An error is returned as one row with nothing but the refusal. What is left of entry points that are gone is dropped.
-- Only members of pgreprise_router may execute them: who can say who the caller is can do everything.
do $$
<<own>>
declare
  routine   record;
  given     text;
  signature text;
  columns   text;
  called    text;
  nothing   text;
begin
  create schema if not exists pgreprise_shard authorization pgreprise_owner;
  for routine in
    select found.oid::regprocedure::text as signature
      from pg_proc as found
     where found.pronamespace = 'pgreprise_shard'::regnamespace
  loop
    execute format('drop function %s', routine.signature);
  end loop;
  revoke all on schema pgreprise_shard from public;
  grant usage on schema pgreprise_shard to pgreprise_router;

  for routine in
    select answered.* from pgreprise.answered_routines() as answered
  loop
    signature := array_to_string(array['jsonb'] || routine.argument_types, ', ');
    columns := coalesce((
      select string_agg(format(', %I %s', listed.name, listed.type), '' order by listed.position)
        from unnest(routine.column_names, routine.column_types) with ordinality as listed(name, type, position)
    ), '');
    nothing := coalesce((
      select string_agg(format(', null::%s', listed.type), '' order by listed.position)
        from unnest(routine.column_types) with ordinality as listed(type, position)
    ), '');
    given := (
      select string_agg(format('%I => $%s', listed.name, listed.position + 1), ', ' order by listed.position)
        from unnest(routine.argument_names) with ordinality as listed(name, position)
    );
    called := case
      when routine.kind = 'p' then format('call %I.%I(%s, result => own.answer);
  -- What is deferred to the end of the transaction is refused here, where it can be told.
  set constraints all immediate;
  return query select null::jsonb, own.answer;', routine.schema_name, routine.name, given)
      when routine.is_void then format('perform %I.%I(%s);
  set constraints all immediate;
  return query select null::jsonb;', routine.schema_name, routine.name, given)
      else format('return query select null::jsonb, answered.* from %I.%I(%s) as answered;', routine.schema_name,
        routine.name, coalesce(given, ''))
    end;
    execute format($function$
create function pgreprise_shard.%1$I(%2$s)
returns table (refusal jsonb%3$s)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
<<own>>
declare
  answer jsonb;
  code text; message text; detail text; hint text; of_schema text; of_table text; of_column text; of_type text;
  of_constraint text; context text;
begin
  perform pgreprise.act_for($1);
  %4$s
  -- A trial takes back what it has done; the error tells only that it could be done.
  if ($1 ->> 'is_trial')::boolean then
    raise exception using errcode = 'RRTRY';
  end if;
exception
  when sqlstate 'RRTRY' then
    return query select null::jsonb%5$s;
  when others then
    get stacked diagnostics code = returned_sqlstate, message = message_text, detail = pg_exception_detail,
      hint = pg_exception_hint, of_schema = schema_name, of_table = table_name, of_column = column_name,
      of_type = pg_datatype_name, of_constraint = constraint_name, context = pg_exception_context;
    return query select pgreprise.shard_refusal(own.code, own.message, own.detail, own.hint, own.of_schema,
      own.of_table, own.of_column, own.of_type, own.of_constraint, own.context)%5$s;
end;
$body$
$function$, routine.name, signature, columns, called, nothing);
    execute format('alter function pgreprise_shard.%I(%s) owner to pgreprise_owner', routine.name, signature);
    execute format('revoke all on function pgreprise_shard.%I(%s) from public', routine.name, signature);
    execute format('grant execute on function pgreprise_shard.%I(%s) to pgreprise_router', routine.name, signature);
  end loop;

  -- What the doctor of the router asks.
  execute $function$
create function pgreprise_shard.facts()
returns table (facts jsonb)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
begin atomic
  select pgreprise.shard_facts();
end
$function$;
  alter function pgreprise_shard.facts() owner to pgreprise_owner;
  revoke all on function pgreprise_shard.facts() from public;
  grant execute on function pgreprise_shard.facts() to pgreprise_router;
end;
$$;
