-- mismatched_cache_versions(): economy cache rows that a rerun would delete if their version were the
-- current one: the key matches a report in everything but the version. One row a country and version.
-- Old versions are what deployments leave behind and do no harm. newer_than_current marks the
-- newest version of a country where its rows started after every row of the current version, or there are none
-- of that: probably a deployment forgot set_cache_versions, and reruns of these reports delete nothing. Rows of the
-- current version that reruns have deleted count, as long as they are archived.
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
      select distinct impact.reform_impact_id, impact.country_id::text as country_id,
          impact.api_version::text as api_version, impact.start_time::timestamp as start_time
        from public.report_outputs as report
        join public.simulations as simulation_1
          on simulation_1.id = report.simulation_1_id and simulation_1.country_id = report.country_id
        left join public.simulations as simulation_2
          on simulation_2.id = report.simulation_2_id and simulation_2.country_id = report.country_id
       cross join lateral pgreprise.economy_cache_key(report.country_id, report.year, simulation_1.population_id,
         simulation_1.policy_id, simulation_2.policy_id) as cache_key
        join public.reform_impact as impact
          on impact.country_id = cache_key.country_id
         and impact.baseline_policy_id = cache_key.baseline_policy_id
         and impact.reform_policy_id = cache_key.reform_policy_id
         and impact.region = cache_key.region
         and impact.dataset = cache_key.dataset
         and impact.time_period = cache_key.time_period
         and impact.options_hash = cache_key.options_hash
       where simulation_1.population_type = 'geography'
         and not exists (
           select from pgreprise.report_defect(report.id, report.country_id, report.year, report.simulation_1_id,
               simulation_1.population_type, report.simulation_2_id, simulation_2.population_type, null) as defect
            where defect.errcode <> 'RR006'
         )
    )

    select matching.country_id, matching.api_version, country.economy_impact_version, count(*),
        max(matching.start_time),
        coalesce(max(matching.start_time) > greatest(
          (
            select max(current_row.start_time)
              from matching as current_row
             where current_row.country_id = matching.country_id
               and current_row.api_version = country.economy_impact_version
          ),
          (
            select max(archived.start_time)::timestamp
              from pgreprise.reform_impact_archive as archived
             where archived.country_id = matching.country_id
               and archived.api_version = country.economy_impact_version
          )
        ), true)
        and row_number() over (
          partition by matching.country_id order by max(matching.start_time) desc nulls last, matching.api_version desc
        ) = 1
      from matching
      left join pgreprise.country as country on country.country_id = matching.country_id
     where matching.api_version is distinct from country.economy_impact_version
     group by matching.country_id, matching.api_version, country.economy_impact_version
     order by matching.country_id, matching.api_version;
end;
$$;

comment on function public.mismatched_cache_versions() is
'Economy cache rows whose key matches a report in everything but the version, by country and version.';

grant execute on function public.mismatched_cache_versions() to pgreprise_reader, pgreprise_dba;
