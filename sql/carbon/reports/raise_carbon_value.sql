-- raise_carbon_value(problem, detail, hint): what every routine says of a value that no row can have.
-- Raises RC008, always.
create or replace function pgreprise.raise_carbon_value(problem text, detail jsonb, hint text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'RC008',
    message = raise_carbon_value.problem,
    detail = raise_carbon_value.detail,
    hint = raise_carbon_value.hint;
end;
$$;

comment on function pgreprise.raise_carbon_value(text, jsonb, text) is 'Raises RC008.';
