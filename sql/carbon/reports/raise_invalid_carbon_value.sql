-- raise_invalid_carbon_value(problem, detail, hint): the error for a value that a row of the carbon domain cannot have.
-- Always raises RC008.
create or replace function pgreprise.raise_invalid_carbon_value(problem text, detail jsonb, hint text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'RC008',
    message = raise_invalid_carbon_value.problem,
    detail = raise_invalid_carbon_value.detail,
    hint = raise_invalid_carbon_value.hint;
end;
$$;

comment on function pgreprise.raise_invalid_carbon_value(text, jsonb, text) is 'Raises RC008.';
