-- raise_invalid_list(problem): the error for a page or an order that there cannot be. Always raises RC016.
create or replace function pgreprise.raise_invalid_list(problem text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'RC016',
    message = raise_invalid_list.problem,
    detail = jsonb_build_object(),
    hint = 'The fields of each type of entries: select * from pgreprise.carbon_entry_field;';
end;
$$;

comment on function pgreprise.raise_invalid_list(text) is 'Raises RC016.';
