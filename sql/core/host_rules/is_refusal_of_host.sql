-- is_refusal_of_host(errcode, context, schema_name, constraint_name, table_name): whether an error that a block has
-- caught is what a trigger or constraint of the host says, from the diagnostics of the error. Batches go on after such
-- an error, with the report refused, and stop after others. The Python module causes.py decides the same for errors
-- that end a call.
-- The context names the routines that the error went through, the innermost first. One that is not ours is the host's.
create or replace function pgreprise.is_refusal_of_host(
  errcode text, context text, schema_name text, constraint_name text, table_name text
)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  line      text;
  innermost text;
begin
  -- These ask to try again, or are troubles of the server.
  if is_refusal_of_host.errcode in ('40001', '40P01', '55P03', '25006')
    or left(is_refusal_of_host.errcode, 2) in ('08', '53', '54', '57', '58', 'XX')
  then
    return false;
  end if;

  foreach line in array string_to_array(is_refusal_of_host.context, E'\n') loop
    -- In any language: SQL function "f", and with the quotes of that language. A statement is more than a name.
    innermost := substring(line from
      '^(?:\S+ )?SQL[- ]?[^[:space:]"]*[[:space:]]*[^[:space:]\w:-]\W?(\w+)\W?[^\x01-\x21\x23-\x7f]');
    if innermost is not null and line not like 'SQL expression%' then
      if not exists (
        select from pg_proc as routine
         where routine.proname = innermost and routine.pronamespace = 'pgreprise'::regnamespace
      ) then
        return true;
      end if;
      exit;
    elsif line !~ '^SQL[ -]' and line ~ 'PL/\w+' then
      innermost := substring(line from 'PL/pgSQL.*?([A-Za-z_"$][^[:space:](]*)\(');
      if innermost is null or (innermost not like 'pgreprise.%' and not exists (
        select from pg_proc as routine
         where routine.proname = regexp_replace(innermost, '^(public|pgreprise_shard)\.', '')
           and routine.pronamespace = 'public'::regnamespace
           and routine.proowner = 'pgreprise_owner'::regrole
      )) then
        return true;
      end if;
      exit;
    end if;
  end loop;

  return case
    when left(is_refusal_of_host.errcode, 2) = '23'
      then coalesce(is_refusal_of_host.schema_name, '') <> 'pgreprise'
        and coalesce(nullif(is_refusal_of_host.table_name, ''), is_refusal_of_host.constraint_name) <> ''
    when left(is_refusal_of_host.errcode, 2) = '22'
      then split_part(is_refusal_of_host.context, E'\nPL/pgSQL', 1) ~ '(insert into|update|delete from) public\.\w+'
    else left(is_refusal_of_host.errcode, 2) in ('09', '27', '38', '39', '44') or is_refusal_of_host.errcode = 'P0001'
  end;
end;
$$;

comment on function pgreprise.is_refusal_of_host(text, text, text, text, text) is
'Whether an error is what a trigger or constraint of the host says.';
