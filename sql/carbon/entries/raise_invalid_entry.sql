-- raise_invalid_entry(problem, code): the error for fields that an entry cannot have: RC013, or RC016 where a list is
-- asked for (its page, its order or its classes). Always raises.
create or replace function pgreprise.raise_invalid_entry(problem text, code text default 'RC013')
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = raise_invalid_entry.code,
    message = raise_invalid_entry.problem,
    detail = jsonb_build_object(),
    hint = 'The fields of each type of entries: select * from pgreprise.carbon_entry_field;';
end;
$$;

comment on function pgreprise.raise_invalid_entry(text, text) is
'Raises the error for fields that an entry cannot have.';
