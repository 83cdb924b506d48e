-- require_all_written(table_name, wanted, written): refuses to go on when fewer rows were written than there should be.
-- Then a trigger of the host has kept rows from being written without an error (raise_kept_rows).
-- Raises RC017.
create or replace function pgreprise.require_all_written(table_name text, wanted bigint, written bigint)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if require_all_written.written is distinct from require_all_written.wanted then
    perform pgreprise.raise_kept_rows('RC017', require_all_written.table_name, require_all_written.wanted,
      require_all_written.written);
  end if;
end;
$$;

comment on function pgreprise.require_all_written(text, bigint, bigint) is
'Refuses to go on when a trigger of the host kept rows from being written (RC017).';
