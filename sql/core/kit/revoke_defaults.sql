-- revoke_defaults: takes from everybody but the owner what default privileges gave on the tables, sequences and types
-- that this transaction created: those of the host (`alter default privileges`, for any role and any schema), and
-- PUBLIC's right to use a type. It runs after each file that creates one, and the grants of that file run after it.
-- What was there before, an adopted table for example, is left alone.
do $$
declare
  -- The objects of this transaction that are done already, so that the grants of earlier files stay.
  done  text[] := coalesce(nullif(current_setting('pgreprise.revoked', true), ''), '{}')::text[];
  given record;
begin
  for given in
    with created as (
      select relation.oid, case relation.relkind when 'S' then 'sequence' else 'table' end as kind,
          relation.relnamespace as schema_id, relation.relname as name, relation.relowner as owner_id,
          relation.relacl as acl
        from pg_catalog.pg_class as relation
        -- What alters a table later changes the row of the table, and never that of a system column.
        join pg_catalog.pg_attribute as attribute
          on attribute.attrelid = relation.oid and attribute.attname = 'tableoid'
       where attribute.xmin = pg_catalog.pg_current_xact_id()::xid
         -- Alembic's own, which core/schema_privileges sees to.
         and relation.relname <> 'alembic_version'
      union all
      select type.oid, 'type', type.typnamespace, type.typname, type.typowner,
          coalesce(type.typacl, pg_catalog.acldefault('T', type.typowner))
        from pg_catalog.pg_type as type
        left join pg_catalog.pg_class as relation on relation.oid = type.typrelid
       where type.xmin = pg_catalog.pg_current_xact_id()::xid
         and (type.typtype in ('e', 'd') or relation.relkind = 'c')
    )

    select created.oid::text, created.kind, namespace.nspname as schema_name, created.name,
        array_agg(distinct case when entry.grantee = 0 then 'public' else pg_catalog.quote_ident(grantee.rolname) end)
          filter (where entry.grantee <> created.owner_id) as grantees
      from created
      join pg_catalog.pg_namespace as namespace on namespace.oid = created.schema_id
      left join lateral pg_catalog.aclexplode(created.acl) as entry on true
      left join pg_catalog.pg_roles as grantee on grantee.oid = entry.grantee
     where namespace.nspname in ('public', 'pgreprise')
       and created.oid::text <> all (done)
     group by created.oid, created.kind, namespace.nspname, created.name
  loop
    if given.grantees is not null then
      execute format('revoke all on %s %I.%I from %s cascade', given.kind, given.schema_name, given.name,
        array_to_string(given.grantees, ', '));
    end if;
    done := done || given.oid;
  end loop;
  perform set_config('pgreprise.revoked', done::text, true);
end;
$$;
