-- end: everything of the router belongs to pgreprise_owner, and nobody may call it but those whom grants name.
do $$
<<own>>
declare
  made record;
begin
  for made in
    select found.oid::regprocedure as signature, found.prokind as kind
      from pg_proc as found
     where (found.pronamespace in ('pgreprise'::regnamespace, 'pgreprise_remote'::regnamespace)
         or (found.pronamespace = 'public'::regnamespace
           and found.proname in (select routed.name from pgreprise.routed as routed)))
       and found.proowner = current_user::regrole
  loop
    execute format('revoke all on routine %s from public', own.made.signature);
    execute format('alter routine %s owner to pgreprise_owner', own.made.signature);
  end loop;
end;
$$;

grant execute on function pgreprise.caller(integer, jsonb) to pgreprise_api, pgreprise_dba, pgreprise_worker;
grant execute on procedure pgreprise.refuse_transaction_block() to pgreprise_api, pgreprise_dba;
grant usage on foreign server pgreprise to pgreprise_owner;
