-- raise_invalid_entry(problem): the error for fields that an entry cannot have. Always raises RC013.
create or replace function pgreprise.raise_invalid_entry(problem text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'RC013',
    message = raise_invalid_entry.problem,
    detail = jsonb_build_object(),
    hint = 'The fields of each type of entries: select * from pgreprise.carbon_entry_field;';
end;
$$;

comment on function pgreprise.raise_invalid_entry(text) is 'Raises RC013.';
