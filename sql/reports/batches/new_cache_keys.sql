-- new_cache_keys(report_ids, batch_id): the economy cache keys of reports that can be rerun, each once, with the
-- current version; for a batch only those that it has not emptied before, which from now on it has.
create or replace function pgreprise.new_cache_keys(report_ids bigint[], batch_id bigint)
returns pgreprise.rerun_batch_cache_key[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  wanted_keys pgreprise.rerun_batch_cache_key[];
  new_keys    pgreprise.rerun_batch_cache_key[];
begin
  wanted_keys := array(
    select distinct row(new_cache_keys.batch_id, cache_key.country_id, cache_key.baseline_policy_id,
        cache_key.reform_policy_id, cache_key.region, cache_key.dataset, cache_key.time_period, cache_key.options_hash,
        country.economy_impact_version)::pgreprise.rerun_batch_cache_key
      from public.report_outputs as report
      join public.simulations as simulation_1 on simulation_1.id = report.simulation_1_id
      left join public.simulations as simulation_2 on simulation_2.id = report.simulation_2_id
      join pgreprise.country as country on country.country_id = report.country_id
     cross join lateral pgreprise.economy_cache_key(report.country_id, report.year, simulation_1.population_id,
       simulation_1.policy_id, simulation_2.policy_id) as cache_key
     where report.id = any (new_cache_keys.report_ids) and simulation_1.population_type = 'geography'
  );
  if new_cache_keys.batch_id is null then
    return wanted_keys;
  end if;

  with first_time as (
    insert into pgreprise.rerun_batch_cache_key as done
    select wanted.* from unnest(own.wanted_keys) as wanted order by wanted
    on conflict on constraint rerun_batch_cache_key_pkey do nothing
    returning done
  )

  select coalesce(array_agg(first_time.done), '{}') into new_keys from first_time;
  return new_keys;
end;
$$;

comment on function pgreprise.new_cache_keys(bigint[], bigint) is
'The economy cache keys of reports, for a batch without those that it has emptied.';
