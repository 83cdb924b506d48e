-- require_carbon_year(year): refuses a number that is not a year of four digits.
-- Raises RC008.
create or replace function pgreprise.require_carbon_year(year bigint)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if require_carbon_year.year is null or require_carbon_year.year not between 1000 and 9999 then
    perform pgreprise.raise_invalid_carbon_value(
      format('%s is not a year.', coalesce(require_carbon_year.year::text, 'null')),
      jsonb_build_object('year', require_carbon_year.year), 'Use a year of four digits.');
  end if;
end;
$$;

comment on function pgreprise.require_carbon_year(bigint) is
'Refuses a number that is not a year of four digits (RC008).';
