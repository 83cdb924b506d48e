-- different_figures(stored, computed): the figures of two stats that are not the same number, to nine digits. A figure
-- is named by its path, for example by_emission_type.10001. What only one of them has counts as different, unless it
-- is 0. Times are not compared.
create or replace function pgreprise.different_figures(stored jsonb, computed jsonb)
returns table (figure text, stored_value double precision, computed_value double precision)
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
  with given as (
    select side.name as side, case jsonb_typeof(side.stats) when 'object' then side.stats else '{}' end as stats
      from (values ('stored', different_figures.stored), ('computed', different_figures.computed)) as side(name, stats)
  ),

  figures as (
    select figure.side, figure.name, figure.value
      from (
        select given.side, entry.key as name, entry.value
          from given
         cross join lateral jsonb_each(given.stats) as entry(key, value)
        union all
        select given.side, outer_entry.key || '.' || entry.key, entry.value
          from given
         cross join lateral jsonb_each(given.stats) as outer_entry(key, value)
         cross join lateral jsonb_each(
           case jsonb_typeof(outer_entry.value) when 'object' then outer_entry.value else '{}' end
         ) as entry(key, value)
      ) as figure
     where jsonb_typeof(figure.value) = 'number'
  ),

  compared as (
    select figures.name,
        max(pgreprise.json_number(figures.value)) filter (where figures.side = 'stored') as stored,
        max(pgreprise.json_number(figures.value)) filter (where figures.side = 'computed') as computed
      from figures
     group by figures.name
  )

  select compared.name, compared.stored, compared.computed
    from compared
   where abs(coalesce(compared.stored, 0) - coalesce(compared.computed, 0))
     > 1e-9 * greatest(1, abs(compared.stored), abs(compared.computed));
end;
$$;

comment on function pgreprise.different_figures(jsonb, jsonb) is
'The figures of two stats that are not the same number, to nine digits.';
