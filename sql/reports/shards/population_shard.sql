-- population_shard(country_id, population_id): the logical shard, 0 to 63, of a population, which may also be given as
-- its region: simulations, reports and cache rows of one population lie together. It is the first byte, modulo 64, of
-- the SHA-256 of the country, a unit separator (U+001F) and the region, in UTF-8.
-- This is version 1 of the hash. Rows lie by it, so it never changes: another hash is another routine, with a number of
-- its own in shard_numbering.
create or replace function pgreprise.population_shard(country_id text, population_id text)
returns integer
language sql
immutable
begin atomic
  select get_byte(
    sha256(convert_to(
      population_shard.country_id || e'\x1f'
      || pgreprise.population_region(population_shard.country_id, population_shard.population_id),
      'UTF8'
    )), 0
  ) & 63 as logical_shard;
end;

comment on function pgreprise.population_shard(text, text) is
'The logical shard, 0 to 63, of a population of a country.';
