-- row_security: our tables, and those of the host that the setting pgreprise.wanted_tables lists, whose row-level
-- security hides rows from pgreprise_owner: then routines find nothing, and say nothing of it. A policy that shows him
-- all rows, for each thing that he may do, is as good as none. A query: it returns one row a table.
with role as (
  select
    owner.oid as id,
    owner.rolsuper or owner.rolbypassrls as is_exempt
  from pg_catalog.pg_roles as owner
  where owner.rolname = 'pgreprise_owner'
),

secured as (
  select
    relation.oid as id,
    namespace.nspname as schema,
    relation.relname as name,
    command.letter,
    exists(
      select from pg_catalog.pg_policy as policy
      where
        policy.polrelid = relation.oid and not policy.polpermissive
        and policy.polcmd in ('*', command.letter)
        and (0 = any(policy.polroles) or role.id = any(policy.polroles))
    ) as is_restricted,
    exists(
      select from pg_catalog.pg_policy as policy
      where
        policy.polrelid = relation.oid and policy.polpermissive
        and policy.polcmd in ('*', command.letter)
        and (0 = any(policy.polroles) or role.id = any(policy.polroles))
        and (command.letter = 'a' or pg_catalog.pg_get_expr(policy.polqual, policy.polrelid) = 'true')
        and (
          command.letter in ('r', 'd')
          or coalesce(
            pg_catalog.pg_get_expr(policy.polwithcheck, policy.polrelid),
            pg_catalog.pg_get_expr(policy.polqual, policy.polrelid)
          ) = 'true'
        )
    ) as is_shown
  from pg_catalog.pg_class as relation
  inner join pg_catalog.pg_namespace as namespace on relation.relnamespace = namespace.oid
  cross join role
  cross join (values ('r'::char, 'select'), ('a', 'insert'), ('w', 'update'), ('d', 'delete'))
    as command (letter, privilege)
  where
    relation.relkind in ('r', 'p')
    and relation.relrowsecurity
    and not role.is_exempt
    and (relation.relforcerowsecurity or not pg_catalog.pg_has_role(role.id, relation.relowner, 'usage'))
    and pg_catalog.has_table_privilege(role.id, relation.oid, command.privilege)
    and (
      namespace.nspname = 'pgreprise'
      or namespace.nspname = 'public' and relation.relname in (
        select listed.name
        from jsonb_to_recordset(current_setting('pgreprise.wanted_tables')::jsonb -> 'tables') as listed (name text)
      )
    )
)

select
  format('%I.%I', secured.schema, secured.name) as table_name,
  secured.schema = 'pgreprise' as is_ours,
  bool_or(secured.is_restricted) as is_restricted,
  -- The policy that the remedy makes may have that name already, with another content.
  exists(
    select from pg_catalog.pg_policy as policy
    where policy.polrelid = secured.id and policy.polname = 'pgreprise_owner'
  ) as has_policy
from secured
where secured.is_restricted or not secured.is_shown
group by secured.id, secured.schema, secured.name
order by table_name;
