-- router_rights: who may call the entry points of a router, and what they are for, as on a shard.
-- A query: it returns the name of the entry point, the order and one statement.
with entry_points as (
  select
    answered.*,
    format(
      '%s public.%I(%s)', case answered.kind when 'p' then 'procedure' else 'function' end,
      answered.name, pg_get_function_identity_arguments(answered.routine_id)
    ) as routine,
    -- What the procedure calls in a transaction of its own.
    case
      when answered.kind = 'p' then format(
        'function pgreprise.%I(%s)', 'routed_' || answered.name,
        array_to_string(array['jsonb'] || answered.argument_types, ', ')
      )
    end as called
  from pgreprise.answered_routines() as answered
  where answered.schema_name = 'public'
)

select
  known.name,
  1 as position,
  format('comment on %s is %L;', known.routine, obj_description(known.routine_id, 'pg_proc')) as statement
from entry_points as known
union all
-- Default privileges may have given it to more of these roles.
select
  known.name,
  2,
  format(
    'revoke all on %s from pgreprise_reader, pgreprise_api, pgreprise_dba, pgreprise_monitor, pgreprise_worker;',
    listed.routine
  )
from entry_points as known
cross join lateral (values (known.routine), (known.called)) as listed (routine)
where listed.routine is not null
union all
select
  known.name,
  3,
  format('grant execute on %s to %I;', listed.routine, grantee.rolname)
from entry_points as known
inner join pg_proc as routine on known.routine_id = routine.oid
cross join lateral aclexplode(routine.proacl) as privilege
inner join pg_roles as grantee on privilege.grantee = grantee.oid
cross join lateral (values (known.routine), (known.called)) as listed (routine)
-- What a host has granted besides is its own affair, there and here.
where listed.routine is not null and grantee.rolname in (
  'pgreprise_reader', 'pgreprise_api', 'pgreprise_dba', 'pgreprise_monitor', 'pgreprise_worker'
)
order by 1, 2, 3;
