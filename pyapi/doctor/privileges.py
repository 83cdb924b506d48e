"""Who holds which rights: callers hold EXECUTE on entry points and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg

from pyapi.doctor.finding import Finding, rows
from pyapi.schema.files import live_routines

__all__ = ["too_wide"]

OWNER = "pgreprise_owner"
GROUPS = ("pgreprise_reader", "pgreprise_api", "pgreprise_dba")
# What PUBLIC holds, everybody holds; it is told once.
_GRANTEES = ("public", *GROUPS)

_SCHEMAS = """
select namespace.nspname as schema, grantee.name as grantee
  from pg_catalog.pg_namespace as namespace
 cross join unnest(%(grantees)s::text[]) as grantee(name)
 where namespace.nspname in ('public', 'pgreprise')
   and pg_catalog.has_schema_privilege(grantee.name, namespace.oid, 'create')
   and (grantee.name = 'public' or not pg_catalog.has_schema_privilege('public', namespace.oid, 'create'))
 order by 1, 2
"""

# Tables that are ours: those of schema pgreprise, and those of the host that our routines work on.
_OUR_TABLES = """
select relation.oid, relation.oid::regclass::text as name, relation.relowner, relation.relacl
  from pg_catalog.pg_class as relation
 where relation.relkind in ('r', 'p', 'v', 'm', 'f')
   and (
     relation.relnamespace = 'pgreprise'::regnamespace
     or relation.relnamespace = 'public'::regnamespace
       and exists (
         select from pg_catalog.aclexplode(relation.relacl) as entry where entry.grantee = 'pgreprise_owner'::regrole
       )
   )
"""

# The rights of a role on such a table beyond those of PUBLIC, its columns included.
_RIGHTS_ON_TABLE = """
array(
  select wanted.privilege
    from unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger'])
      with ordinality as wanted(privilege, position)
   where (
       pg_catalog.has_table_privilege({grantee}, ours.oid, wanted.privilege)
       or wanted.privilege in ('select', 'insert', 'update', 'references')
         and pg_catalog.has_any_column_privilege({grantee}, ours.oid, wanted.privilege)
     )
     and ({grantee} = 'public' or not (
       pg_catalog.has_table_privilege('public', ours.oid, wanted.privilege)
       or wanted.privilege in ('select', 'insert', 'update', 'references')
         and pg_catalog.has_any_column_privilege('public', ours.oid, wanted.privilege)
     ))
   order by wanted.position
)
"""

_TABLES = f"""
with ours as ({_OUR_TABLES})

select grantee.name as grantee, held.rights, direct.is_direct,
       string_agg(ours.name, ', ' order by ours.name) as tables
  from ours
 cross join unnest(%(grantees)s::text[]) as grantee(name)
 cross join lateral (select {_RIGHTS_ON_TABLE.format(grantee="grantee.name")} as rights) as held
 cross join lateral (
   select grantee.name = 'public' or exists (
       select from pg_catalog.aclexplode(ours.relacl) as entry
        where entry.grantee = pg_catalog.to_regrole(grantee.name)
       union all
       select
         from pg_catalog.pg_attribute as attribute
        cross join lateral pg_catalog.aclexplode(attribute.attacl) as entry
        where attribute.attrelid = ours.oid and entry.grantee = pg_catalog.to_regrole(grantee.name)
     ) as is_direct
 ) as direct
 where cardinality(held.rights) > 0
   -- A superuser holds everything; that is told of the role.
   and not exists (select from pg_catalog.pg_roles as role where role.rolname = grantee.name and role.rolsuper)
 group by grantee.name, held.rights, direct.is_direct
 order by 1, 2, 3
"""  # noqa: S608

_ROUTINES = """
select registered.name, registered.version, procedure.oid::regprocedure::text as signature,
       case procedure.prokind when 'p' then 'procedure' else 'function' end as kind,
       pg_catalog.pg_get_userbyid(procedure.proowner) as owner,
       array(
         select grantee.name
           from unnest(%(grantees)s::text[]) as grantee(name)
          where pg_catalog.has_function_privilege(grantee.name, procedure.oid, 'execute')
            and not exists (select from pg_catalog.pg_roles as role where role.rolname = grantee.name and role.rolsuper)
       ) as callers
  from pgreprise.routine_version as registered
  join pg_catalog.pg_namespace as namespace on namespace.nspname = split_part(registered.routine, '.', 1)
  join pg_catalog.pg_proc as procedure
    on procedure.pronamespace = namespace.oid and procedure.proname = split_part(registered.routine, '.', 2)
 order by 1, 3
"""

_ATTRIBUTES = """
select role.rolname as role,
       array_remove(array[
         case when role.rolcanlogin then 'login' end,
         case when role.rolsuper then 'superuser' end,
         case when role.rolcreaterole then 'createrole' end,
         case when role.rolcreatedb then 'createdb' end,
         case when role.rolreplication then 'replication' end,
         case when role.rolbypassrls then 'bypassrls' end
       ], null) as attributes
  from pg_catalog.pg_roles as role
 where role.rolname = 'pgreprise_owner' or role.rolname = any (%(groups)s)
 order by 1
"""

# Direct and indirect members; from PostgreSQL 16 on a membership may be for administration only.
_MEMBERS = f"""
with recursive membership as (
  select granted.roleid as group_id, granted.member as member_id
    from pg_catalog.pg_auth_members as granted
   where coalesce(to_jsonb(granted) ->> 'inherit_option', 'true') = 'true'
      or coalesce(to_jsonb(granted) ->> 'set_option', 'true') = 'true'
),

member as (
  select membership.group_id, membership.member_id from membership
  union
  select member.group_id, membership.member_id
    from member
    join membership on membership.group_id = member.member_id
),

ours as ({_OUR_TABLES})

select role.rolname as role, role.rolsuper as is_superuser, role.rolcanlogin as can_login,
       role.rolname = current_user as is_me,
       array(
         select pg_catalog.pg_get_userbyid(member.group_id)::text
           from member
          where member.member_id = role.oid
            and pg_catalog.pg_get_userbyid(member.group_id) = any (array['pgreprise_owner'] || %(groups)s::text[])
          order by 1
       ) as groups,
       array(
         select ours.name
           from ours
          where not role.rolsuper
            and (
              pg_catalog.pg_has_role(role.oid, ours.relowner, 'usage')
              or cardinality({_RIGHTS_ON_TABLE.format(grantee="role.rolname::text")}) > 0
            )
          order by 1
       ) as tables
  from pg_catalog.pg_roles as role
 where role.oid in (
   select member.member_id
     from member
    where pg_catalog.pg_get_userbyid(member.group_id) = any (array['pgreprise_owner'] || %(groups)s::text[])
 )
 order by 1
"""  # noqa: S608


def _shown(role: str) -> str:
    return "PUBLIC" if role == "public" else role


def too_wide(database: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Rights that are wider, or for callers of routines narrower, than pgreprise gives them."""
    yield from _schemas(database)
    yield from _tables(database)
    yield from _routines(database)
    yield from _attributes(database)
    yield from _members(database)


def _schemas(database: psycopg.Connection[Any]) -> Iterator[Finding]:
    for row in rows(database, _SCHEMAS, {"grantees": list(_GRANTEES)}):
        yield Finding(
            "rights",
            "problem",
            "Anyone may create functions in schema public; what stands there can pass for something else."
            if (row["schema"], row["grantee"]) == ("public", "public")
            else f"{_shown(row['grantee'])} may create in schema {row['schema']}.",
            f"revoke create on schema {row['schema']} from {row['grantee']};",
        )


def _tables(database: psycopg.Connection[Any]) -> Iterator[Finding]:
    for row in rows(database, _TABLES, {"grantees": list(_GRANTEES)}):
        yield Finding(
            "rights",
            "problem",
            f"{_shown(row['grantee'])} may {', '.join(row['rights'])}, past the routines, on {row['tables']}.",
            f"revoke all on table {row['tables']} from {row['grantee']};"
            if row["is_direct"]
            else f"It comes from a role that {row['grantee']} is a member of: revoke that membership.",
        )


def _routines(database: psycopg.Connection[Any]) -> Iterator[Finding]:
    files = {(file.name, file.version): file for file in live_routines()}
    for row in rows(database, _ROUTINES, {"grantees": list(_GRANTEES)}):
        routine = f"{row['kind']} {row['signature']}"
        if row["owner"] != OWNER:
            yield Finding(
                "rights",
                "problem",
                f"{row['signature']} belongs to {row['owner']}, with whose rights it may act.",
                f"alter {routine} owner to {OWNER};",
            )
        file = files.get((row["name"], row["version"]))
        if file is None:
            continue
        wanted, held = set(file.callers), set(row["callers"])
        # What PUBLIC holds, every group holds.
        for role in sorted(held - wanted) if "public" not in held else ["public"]:
            yield Finding(
                "rights",
                "problem",
                f"{_shown(role)} may call {row['signature']}.",
                f"revoke execute on {routine} from {role};",
            )
        for role in sorted(wanted - held):
            yield Finding(
                "rights",
                "problem",
                f"{role} may not call {row['signature']}.",
                f"grant execute on {routine} to {role};",
            )


def _attributes(database: psycopg.Connection[Any]) -> Iterator[Finding]:
    for row in rows(database, _ATTRIBUTES, {"groups": list(GROUPS)}):
        if row["attributes"]:
            yield Finding(
                "rights",
                "problem",
                f"Role {row['role']} has {', '.join(row['attributes'])}; it is there to hold rights and nothing else.",
                f"alter role {row['role']} {' '.join(f'no{attribute}' for attribute in row['attributes'])};",
            )


def _members(database: psycopg.Connection[Any]) -> Iterator[Finding]:
    for row in rows(database, _MEMBERS, {"groups": list(GROUPS)}):
        role, groups = row["role"], row["groups"]
        is_caller = role in GROUPS or any(group in GROUPS for group in groups)
        if row["is_superuser"]:
            if "pgreprise_api" in groups and row["can_login"]:
                yield Finding(
                    "rights",
                    "problem",
                    f"Role {role} is a member of pgreprise_api and a superuser; "
                    "the API needs the first and nothing more.",
                    f"alter role {role} nosuperuser; or give the API a login of its own.",
                )
            continue
        if OWNER in groups and not row["is_me"]:
            yield Finding(
                "rights",
                "problem" if is_caller else "note",
                f"Role {role} may act as {OWNER}, which is for the role that migrates.",
                f"revoke {OWNER} from {role}; unless it migrates.",
            )
        elif "pgreprise_api" in groups and row["tables"]:
            yield Finding(
                "rights",
                "problem",
                f"Role {role} is a member of pgreprise_api and holds rights of its own on {', '.join(row['tables'])}; "
                "the API needs the first and nothing more.",
                f"Give the API a login of its own, or: revoke all on table {', '.join(row['tables'])} from {role};",
            )
