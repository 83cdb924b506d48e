-- recent_cache_rows(max_rows, country_id): the economy cache rows that were started last, newest first, of that country
-- where one is given; all columns of each, those of the application too. max_rows is 1 to 1000: what is less or more
-- counts as these. No index has this order, so the whole cache is read.
-- Raises RR008 when there is no such country, RR017 when the caller's token may not read.
create or replace function public.recent_cache_rows(max_rows bigint default 100, country_id text default null)
returns table (cache_row json)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read', recent_cache_rows.country_id);

  return query
    select row_to_json(newest.*)
      from (
        select impact.*
          from public.reform_impact as impact
         where recent_cache_rows.country_id is null or impact.country_id = recent_cache_rows.country_id
         order by impact.start_time desc nulls last, impact.reform_impact_id desc
         limit least(greatest(coalesce(recent_cache_rows.max_rows, 100), 1), 1000)
      ) as newest;
end;
$$;

comment on function public.recent_cache_rows(bigint, text) is 'The economy cache rows that were started last.';

grant execute on function public.recent_cache_rows(bigint, text) to pgreprise_reader, pgreprise_api, pgreprise_dba;
