-- mismatched_cache_versions(): economy cache rows that belong to a report but have another version than the current
-- one, so that a rerun of the report does not delete them. One row for each country and version. Changes nothing.
-- Older versions are what deployments leave behind; they do no harm. newer_than_current marks the newest version of a
-- country when its rows were started after all rows of the current version; archived rows of the current version
-- count, too, because reruns have deleted them. Where there are no rows of the current version, it marks a version
-- whose rows were started after the current version was set: the application may also keep its cache elsewhere, and
-- then all rows are old. A marked version means that a deployment has probably forgotten set_cache_versions(), and that
-- reruns delete nothing.
-- Raises RR017 when the caller's token may not read.
create or replace function public.mismatched_cache_versions()
returns table (
  country_id text, api_version text, current_version text, cache_rows bigint,
  newest_start_time timestamp, newer_than_current boolean
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read');

  return query
    with matching as (
      select distinct cached.reform_impact_id, linked.country_id, cached.version, cached.start_time
        from pgreprise.linked_reports() as linked
       cross join lateral pgreprise.report_cache_rows(linked.cache_key) as cached
       where linked.report_type = 'geography' and coalesce(linked.errcode, 'RR006') = 'RR006'
    )

    select matching.country_id, matching.version, country.economy_impact_version, count(*),
        max(matching.start_time),
        (country.economy_impact_version is null or coalesce(max(matching.start_time) > coalesce(greatest(
          (
            select max(current_row.start_time)
              from matching as current_row
             where current_row.country_id = matching.country_id
               and current_row.version = country.economy_impact_version
          ),
          (
            select max(archived.start_time)::timestamp
              from pgreprise.reform_impact_archive as archived
             where archived.country_id = matching.country_id
               and archived.api_version = country.economy_impact_version
          )
        ), max(country.updated_at at time zone 'utc')), false))
        and row_number() over (
          partition by matching.country_id order by max(matching.start_time) desc nulls last, matching.version desc
        ) = 1
      from matching
      left join pgreprise.country as country on country.country_id = matching.country_id
     where matching.version is distinct from country.economy_impact_version
     group by matching.country_id, matching.version, country.economy_impact_version
     order by matching.country_id, matching.version;
end;
$$;

comment on function public.mismatched_cache_versions() is
'Economy cache rows that belong to a report but have another version than the current one.';

grant execute on function public.mismatched_cache_versions() to pgreprise_reader, pgreprise_api, pgreprise_dba;
