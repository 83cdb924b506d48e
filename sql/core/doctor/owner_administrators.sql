-- owner_administrators: which roles hold the ADMIN option on pgreprise_owner, themselves or through another role: they
-- may make anybody a member of it. A query: it returns one row a role, with is_caller where it is a member of a group.
select
  role.rolname::text as role,
  coalesce(bool_or(pg_catalog.pg_has_role(role.oid, our_role.oid, 'member')), false) as is_caller
from pg_catalog.pg_roles as role
inner join pg_catalog.pg_roles as owner_role on owner_role.rolname = 'pgreprise_owner'
left join pg_catalog.pg_roles as our_role
  on our_role.rolname in ('pgreprise_reader', 'pgreprise_api', 'pgreprise_dba', 'pgreprise_monitor', 'pgreprise_worker')
where
  not role.rolsuper
  and role.rolname <> current_user
  and role.oid <> owner_role.oid
  and pg_catalog.pg_has_role(role.oid, owner_role.oid, 'member with admin option')
group by role.oid, role.rolname
order by role.rolname;
