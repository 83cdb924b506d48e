-- router_rights: who may call the entry points of a router, and what they are for, as on a shard.
-- A query: it returns the name of the entry point and one statement.
select
  answered.name,
  format(
    'comment on %s public.%I(%s) is %L;', case answered.kind when 'p' then 'procedure' else 'function' end,
    answered.name, pg_get_function_identity_arguments(answered.routine_id),
    obj_description(answered.routine_id, 'pg_proc')
  ) as statement
from pgreprise.answered_routines() as answered
where answered.schema_name = 'public'
union all
select
  answered.name,
  format(
    'grant execute on %s public.%I(%s) to %I;', case answered.kind when 'p' then 'procedure' else 'function' end,
    answered.name, pg_get_function_identity_arguments(answered.routine_id), grantee.rolname
  ) || case
    -- What the procedure calls in the transaction of its own.
    when answered.kind = 'p' then format(
      e'\ngrant execute on function pgreprise.%I(%s) to %I;', 'routed_' || answered.name,
      array_to_string(array['jsonb'] || answered.argument_types, ', '), grantee.rolname
    )
    else ''
  end
from pgreprise.answered_routines() as answered
inner join pg_proc as routine on answered.routine_id = routine.oid
cross join lateral aclexplode(routine.proacl) as privilege
inner join pg_roles as grantee on privilege.grantee = grantee.oid
-- What a host has granted besides is its own affair, there and here.
where answered.schema_name = 'public' and grantee.rolname in (
  'pgreprise_reader', 'pgreprise_api', 'pgreprise_dba', 'pgreprise_monitor', 'pgreprise_worker'
)
order by 1, 2;
