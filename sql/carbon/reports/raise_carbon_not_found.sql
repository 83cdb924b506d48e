-- raise_carbon_not_found(wanted, subject): the error for a carbon report, a module or an entry that does not exist.
-- wanted is the key that was looked for. Always raises RC003.
create or replace function pgreprise.raise_carbon_not_found(wanted jsonb, subject text default 'Carbon report')
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'RC003',
    message = format('%s not found: %s.', raise_carbon_not_found.subject, (
      select string_agg(format('%s %s', key.name, coalesce(key.value, 'null')), ', ' order by key.name)
        from jsonb_each_text(raise_carbon_not_found.wanted) as key(name, value)
    )),
    detail = raise_carbon_not_found.wanted,
    hint = 'Check unit, year and carbon_project_type, or create it first.';
end;
$$;

comment on function pgreprise.raise_carbon_not_found(jsonb, text) is 'Raises RC003.';
