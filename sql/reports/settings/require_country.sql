-- require_country(country_id): refuses a country that is not in pgreprise.country. enter() calls it where the caller
-- gives a country.
-- Raises RR008, with the countries that exist.
create or replace function pgreprise.require_country(country_id text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  available text;
begin
  perform from pgreprise.country as country where country.country_id = require_country.country_id;

  if not found then
    select string_agg(country.country_id, ', ' order by country.position) into available
      from pgreprise.country as country;

    raise exception using
      errcode = 'RR008',
      message = format('Country %s not found. Available countries are: %s',
        coalesce(require_country.country_id, 'null'), available),
      detail = jsonb_build_object('country_id', require_country.country_id),
      hint = 'Use one of the available countries.';
  end if;
end;
$$;

comment on function pgreprise.require_country(text) is 'Refuses a country that does not exist (RR008).';
