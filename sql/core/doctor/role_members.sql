-- role_members: which roles are members of our roles, directly or through another role.
-- A query: it returns one row a member, with the names of our roles that it is a member of (groups).
with recursive our_role as (
  select
    role.oid as id,
    role.rolname::text as name
  from pg_catalog.pg_roles as role
  where role.rolname in ('pgreprise_owner', 'pgreprise_reader', 'pgreprise_api', 'pgreprise_dba', 'pgreprise_monitor',
  'pgreprise_worker', 'pgreprise_router')
),

-- From PostgreSQL 16 on a membership may be for administration only. Such a membership gives no rights.
membership as (
  select
    granted.roleid as group_id,
    granted.member as member_id
  from pg_catalog.pg_auth_members as granted
  where
    coalesce(to_jsonb(granted) ->> 'inherit_option', 'true') = 'true'
    or coalesce(to_jsonb(granted) ->> 'set_option', 'true') = 'true'
),

member as (
  select
    membership.group_id,
    membership.member_id
  from membership
  union
  select
    member.group_id,
    membership.member_id
  from member
  inner join membership on member.member_id = membership.group_id
)

select
  role.rolname as role,
  role.rolsuper as is_superuser,
  role.rolcanlogin as can_login,
  role.rolname = current_user as is_me,
  array_agg(our_role.name order by our_role.name) as groups
from member
inner join our_role on member.group_id = our_role.id
inner join pg_catalog.pg_roles as role on member.member_id = role.oid
group by role.rolname, role.rolsuper, role.rolcanlogin
order by role.rolname;
