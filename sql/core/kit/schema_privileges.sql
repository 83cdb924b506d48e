-- schema_privileges: who may use schema pgreprise and create in schema public.
-- The group roles may use the schema, because status() is in it, and have no rights on its tables.
-- pgreprise_owner needs to own routines in schema public.
-- Raises 42501 where the migrating role cannot grant that.
do $$
declare
  given record;
begin
  -- PUBLIC, and whoever the host's default privileges name. Alembic has made its table by now.
  for given in
    select distinct object.name,
        case when entry.grantee = 0 then 'public' else quote_ident(grantee.rolname) end as grantee
      from (
        select 'schema pgreprise', namespace.nspowner, namespace.nspacl
          from pg_namespace as namespace
         where namespace.oid = 'pgreprise'::regnamespace
        union all
        select 'table pgreprise.alembic_version', relation.relowner, relation.relacl
          from pg_class as relation
         where relation.oid = 'pgreprise.alembic_version'::regclass
      ) as object(name, owner_id, acl)
     cross join lateral aclexplode(object.acl) as entry
      left join pg_roles as grantee on grantee.oid = entry.grantee
     where entry.grantee <> object.owner_id
  loop
    execute format('revoke all on %s from %s cascade', given.name, given.grantee);
  end loop;
end;
$$;

grant usage, create on schema pgreprise to pgreprise_owner;
grant usage on schema pgreprise to pgreprise_reader, pgreprise_api, pgreprise_dba, pgreprise_monitor, pgreprise_worker;
grant usage, create on schema public to pgreprise_owner;
grant usage on schema public to pgreprise_reader, pgreprise_api, pgreprise_dba, pgreprise_monitor, pgreprise_worker;
grant select on table pgreprise.alembic_version to pgreprise_owner;
-- Alembic has created it, and an event trigger of the host may have turned row-level security on.
alter table pgreprise.alembic_version disable row level security, no force row level security;

do $$
begin
  -- A role without grant option gets only a warning from PostgreSQL. A list of rights would be true for any of them.
  if not has_schema_privilege('pgreprise_owner', 'public', 'usage')
    or not has_schema_privilege('pgreprise_owner', 'public', 'create')
  then
    raise exception using
      errcode = 'insufficient_privilege',
      message = format('Role %s may not let pgreprise_owner create routines in schema public.', current_user),
      hint = 'As the owner of schema public: grant usage, create on schema public to pgreprise_owner;';
  end if;
end;
$$;
