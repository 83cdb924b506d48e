-- raise_lost_rows(errcode, table_name, key_column, ids): refuses to delete rows of a table of the host while rows of
-- other tables would be lost with them (lost_rows). The calling routine has locked the rows, so none can be added.
-- Raises the errcode.
create or replace function pgreprise.raise_lost_rows(errcode text, table_name text, key_column text, ids text[])
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  found_rows record;
begin
  select lost.message, lost.detail, lost.hint
    into found_rows
    from pgreprise.lost_rows(raise_lost_rows.errcode, raise_lost_rows.table_name, raise_lost_rows.key_column,
      raise_lost_rows.ids) as lost
   limit 1;
  if found then
    raise exception using
      errcode = raise_lost_rows.errcode, message = found_rows.message, detail = found_rows.detail,
      hint = found_rows.hint;
  end if;
end;
$$;

comment on function pgreprise.raise_lost_rows(text, text, text, text[]) is
'Refuses to delete rows of the host while rows of other tables would be lost with them.';
