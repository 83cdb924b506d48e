-- schema_privileges: who may use schema pgreprise and create in schema public.
-- Group roles see the schema (status() lives in it) and hold nothing on its tables;
-- pgreprise_owner must be able to own routines in public.
do $$
begin
  execute 'revoke all on schema pgreprise from public';
  execute 'grant usage, create on schema pgreprise to pgreprise_owner';
  execute 'grant usage on schema pgreprise to pgreprise_reader, pgreprise_api, pgreprise_dba';
  execute 'grant usage, create on schema public to pgreprise_owner';
  execute 'grant usage on schema public to pgreprise_reader, pgreprise_api, pgreprise_dba';
  execute 'grant select on table pgreprise.alembic_version to pgreprise_owner';

  -- A role without grant option gets only a warning from PostgreSQL; it must be an error.
  if not has_schema_privilege('pgreprise_owner', 'public', 'usage, create') then
    raise exception using
      errcode = 'insufficient_privilege',
      message = format('Role %s may not let pgreprise_owner create routines in schema public.', current_user),
      hint = 'As the owner of schema public: grant usage, create on schema public to pgreprise_owner;';
  end if;
end;
$$;
