-- population_region(country_id, population_id): the region in the economy cache of a population. This is the only place
-- that knows how the application makes one from the other: it puts 'state/' before the bare code of a US state, and
-- keeps the case of the code.
create or replace function pgreprise.population_region(country_id text, population_id text)
returns text
language sql
immutable
begin atomic
  select case
    when population_region.country_id = 'us'
      -- PostgreSQL puts the list into a hash table first, which most rows need not wait for.
      and length(population_region.population_id) = 2
      and lower(population_region.population_id) in (
        'ak', 'al', 'ar', 'az', 'ca', 'co', 'ct', 'dc', 'de', 'fl', 'ga', 'hi', 'ia', 'id', 'il', 'in', 'ks', 'ky',
        'la', 'ma', 'md', 'me', 'mi', 'mn', 'mo', 'ms', 'mt', 'nc', 'nd', 'ne', 'nh', 'nj', 'nm', 'nv', 'ny', 'oh',
        'ok', 'or', 'pa', 'ri', 'sc', 'sd', 'tn', 'tx', 'ut', 'va', 'vt', 'wa', 'wi', 'wv', 'wy'
      )
      then 'state/' || population_region.population_id
    else population_region.population_id
  end as region;
end;

comment on function pgreprise.population_region(text, text) is
'The region in the economy cache of a population of a country.';
