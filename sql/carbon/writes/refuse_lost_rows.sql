-- refuse_lost_rows(table_name, ids): refuses to delete rows of a carbon table while rows of another table, which is not
-- of this domain, would be lost with them (raise_lost_rows). The calculator itself has one such key, from emissions to
-- their entry; emissions are deleted before. The calling routine has locked the rows.
-- Raises RC018.
create or replace function pgreprise.refuse_lost_rows(table_name text, ids bigint[])
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.raise_lost_rows('RC018', refuse_lost_rows.table_name, 'id', refuse_lost_rows.ids::text[]);
end;
$$;

comment on function pgreprise.refuse_lost_rows(text, bigint[]) is
'Refuses to delete rows while rows of other tables would be lost with them (RC018).';
