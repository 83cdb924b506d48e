-- check_max_rows(max_rows): refuses a page of a list that has no row or too many.
-- Raises RR016 when max_rows is not between 1 and 1000.
create or replace function pgreprise.check_max_rows(max_rows bigint)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if check_max_rows.max_rows is null or check_max_rows.max_rows not between 1 and 1000 then
    raise exception using
      errcode = 'RR016',
      message = 'max_rows must be between 1 and 1000.',
      detail = jsonb_build_object('max_rows', check_max_rows.max_rows),
      hint = 'Read in pages: continue after the last row.';
  end if;
end;
$$;

comment on function pgreprise.check_max_rows(bigint) is 'Refuses a page without rows or with too many (RR016).';
