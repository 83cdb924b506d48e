-- raise_kept_rows(errcode, table_name, wanted, written): refuses to go on after fewer rows of a table of the host were
-- written than there should be: a trigger of the host has kept rows from being written without an error, because it
-- returned null. Always raises.
-- Raises the errcode.
create or replace function pgreprise.raise_kept_rows(errcode text, table_name text, wanted bigint, written bigint)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = raise_kept_rows.errcode,
    message = format('A trigger on public.%s kept %s from being written. Nothing was changed.',
      raise_kept_rows.table_name,
      case raise_kept_rows.wanted - raise_kept_rows.written when 1 then 'a row'
        else (raise_kept_rows.wanted - raise_kept_rows.written)::text || ' rows' end),
    detail = jsonb_build_object('table', raise_kept_rows.table_name, 'wanted', raise_kept_rows.wanted,
      'written', raise_kept_rows.written),
    hint = format('A trigger that returns null does this. The triggers: select tgname, tgfoid::regproc from '
      'pg_trigger where tgrelid = ''public.%s''::regclass and not tgisinternal;', raise_kept_rows.table_name);
end;
$$;

comment on function pgreprise.raise_kept_rows(text, text, bigint, bigint) is
'Refuses to go on after a trigger of the host kept rows from being written.';
