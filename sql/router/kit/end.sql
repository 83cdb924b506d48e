-- end: everything of the router that this transaction has made belongs to pgreprise_owner, and nobody may call it but
-- those whom grants name: what PUBLIC and others got by default privileges is revoked.
do $$
<<own>>
declare
  made  record;
  given record;
begin
  for made in
    select found.oid::regprocedure as signature, found.oid
      from pg_proc as found
     where found.pronamespace in ('public'::regnamespace, 'pgreprise'::regnamespace, 'pgreprise_remote'::regnamespace)
       and found.proowner = current_user::regrole
       and found.xmin = pg_current_xact_id()::xid
  loop
    for given in
      select distinct case when entry.grantee = 0 then 'public' else quote_ident(grantee.rolname) end as grantee
        from pg_proc as routine
       cross join lateral aclexplode(coalesce(routine.proacl, acldefault('f', routine.proowner))) as entry
        left join pg_roles as grantee on grantee.oid = entry.grantee
       where routine.oid = own.made.oid
         and entry.grantee <> routine.proowner
         and coalesce(grantee.rolname, '') not in (
           'pgreprise_reader', 'pgreprise_api', 'pgreprise_dba', 'pgreprise_monitor', 'pgreprise_worker'
         )
    loop
      execute format('revoke all on routine %s from %s', own.made.signature, own.given.grantee);
    end loop;
    execute format('alter routine %s owner to pgreprise_owner', own.made.signature);
  end loop;
end;
$$;

grant execute on function pgreprise.caller(integer, jsonb) to pgreprise_api, pgreprise_dba, pgreprise_worker;
grant execute on procedure pgreprise.refuse_transaction_block() to pgreprise_api, pgreprise_dba;
grant usage on foreign server pgreprise to pgreprise_owner;

do $$
<<own>>
declare
  kept record;
begin
  for kept in
    select before.granted, before.grantee
      from pg_temp.kept_grant as before
     where before.routine is null or to_regprocedure(before.routine) is not null
  loop
    execute format('grant %s to %I', own.kept.granted, own.kept.grantee);
  end loop;
end;
$$;
