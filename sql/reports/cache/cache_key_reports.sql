-- cache_key_reports(keys): the reports that can be rerun and have one of these economy cache keys, each with its key. A
-- preview shows who shares a cache row.
create or replace function pgreprise.cache_key_reports(keys pgreprise.cache_key[])
returns table (report_id bigint, cache_key pgreprise.cache_key)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
-- One key or thousands.
set plan_cache_mode = 'force_custom_plan'
as $$
begin
  return query
    select linked.report_id, linked.cache_key
      from pgreprise.linked_reports(array(
        -- Their first simulation has the region and the policy of the key.
        select report.id::bigint
          from public.report_outputs as report
         where report.simulation_1_id in (
           select simulation.id
             from unnest(cache_key_reports.keys) as wanted
             join public.simulations as simulation
               on simulation.country_id = wanted.country_id
               -- A state may be written without 'state/'; the comparison of the keys below decides.
              and simulation.population_id in (wanted.region, substr(wanted.region, length('state/') + 1))
              and simulation.population_type = 'geography'
              and simulation.policy_id = wanted.baseline_policy_id
         )
      ), can_be_rerun => true) as linked
     where linked.cache_key = any (cache_key_reports.keys);
end;
$$;

comment on function pgreprise.cache_key_reports(pgreprise.cache_key[]) is
'The reports that can be rerun and have one of these economy cache keys.';
