-- require_all_written(table_name, wanted, written): refuses to go on when fewer rows were written than there should be.
-- Then a trigger of the host has kept rows from being written without an error (it returned null).
-- Raises RC017.
create or replace function pgreprise.require_all_written(table_name text, wanted bigint, written bigint)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if require_all_written.written is distinct from require_all_written.wanted then
    raise exception using
      errcode = 'RC017',
      message = format('A trigger on public.%s kept %s from being written. Nothing was changed.',
        require_all_written.table_name,
        case require_all_written.wanted - require_all_written.written when 1 then 'a row'
          else (require_all_written.wanted - require_all_written.written)::text || ' rows' end),
      detail = jsonb_build_object('table', require_all_written.table_name, 'wanted', require_all_written.wanted,
        'written', require_all_written.written),
      hint = format('A trigger that returns null does this. The triggers: select tgname, tgfoid::regproc from '
        'pg_trigger where tgrelid = ''public.%s''::regclass and not tgisinternal;', require_all_written.table_name);
  end if;
end;
$$;

comment on function pgreprise.require_all_written(text, bigint, bigint) is
'Refuses to go on when a trigger of the host kept rows from being written (RC017).';
