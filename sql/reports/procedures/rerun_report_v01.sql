-- rerun_report(report_id, country_id, result): put a report and its simulations back to pending and,
-- for an economy report, delete its economy cache rows: all of it or, on any error, nothing.
-- Any report may be rerun, whatever its status. With country_id the report must be of that country.
--
-- Which cache rows: those of the report's key (see economy_cache_key, and its assumptions) with the
-- country's current economy cache version, whatever their status. Every other row is kept.
--
-- result: {"report_id", "report_type": "household" | "geography", "simulation_ids": [...],
-- "economy_cache_rows_deleted"}. A simulation that is linked twice is listed once.
-- Raises RR001 no such report, RR002 missing simulation, RR003 mismatched population types, RR004 unknown
-- population type, RR005 no year, RR006 no economy cache version, RR008 no such country.
create or replace procedure public.rerun_report(
  report_id bigint,
  country_id text default null,
  inout result jsonb default null
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  target            record;
  simulation_id     bigint;
  linked            record;
  population_type_1 text;
  population_type_2 text;
  region            text;
  baseline_policy   bigint;
  reform_policy     bigint;
  economy_version   text;
  defect            record;
  economy_key       record;
  deleted_rows      bigint := 0;
begin
  perform pgreprise.bound_lock_wait();

  if rerun_report.country_id is not null then
    perform pgreprise.require_country(rerun_report.country_id);
  end if;

  select report.id, report.country_id, report.year, report.simulation_1_id, report.simulation_2_id
    into target
    from public.report_outputs as report
   where report.id = rerun_report.report_id
     and (rerun_report.country_id is null or report.country_id = rerun_report.country_id)
     for update;

  if not found then
    perform pgreprise.raise_report_not_found(rerun_report.report_id, rerun_report.country_id);
  end if;

  -- Simulations are locked one by one in id order, as everywhere: reports that share them cannot deadlock.
  foreach simulation_id in array array[
    least(target.simulation_1_id, target.simulation_2_id),
    nullif(greatest(target.simulation_1_id, target.simulation_2_id),
      least(target.simulation_1_id, target.simulation_2_id))
  ] loop
    continue when simulation_id is null;

    select simulation.population_type, simulation.population_id, simulation.policy_id
      into linked
      from public.simulations as simulation
     where simulation.id = own.simulation_id and simulation.country_id = own.target.country_id
       for update;

    if simulation_id = target.simulation_1_id then
      population_type_1 := linked.population_type;
      region := linked.population_id;
      baseline_policy := linked.policy_id;
    end if;
    if simulation_id = target.simulation_2_id then
      population_type_2 := linked.population_type;
      reform_policy := linked.policy_id;
    end if;
  end loop;

  select country.economy_impact_version into economy_version
    from pgreprise.country as country
   where country.country_id = target.country_id;

  select found_defect.errcode, found_defect.message, found_defect.detail, found_defect.hint
    into defect
    from pgreprise.report_defect(target.id, target.country_id, target.year, target.simulation_1_id, population_type_1,
      target.simulation_2_id, population_type_2, economy_version) as found_defect;
  if found then
    raise exception using
      errcode = defect.errcode, message = defect.message, detail = defect.detail, hint = defect.hint;
  end if;

  perform public.reset_report(target.id);
  perform public.reset_simulation(target.simulation_1_id);
  if target.simulation_2_id <> target.simulation_1_id then
    perform public.reset_simulation(target.simulation_2_id);
  end if;

  if population_type_1 = 'geography' then
    select cache_key.* into economy_key
      from pgreprise.economy_cache_key(target.country_id, target.year, region, baseline_policy, reform_policy)
        as cache_key;

    deleted_rows := public.delete_reform_impacts(economy_key.country_id, economy_key.baseline_policy_id,
      economy_key.reform_policy_id, economy_key.region, economy_key.dataset, economy_key.time_period,
      economy_key.options_hash, api_version => economy_version);
  end if;

  result := jsonb_build_object(
    'report_id', target.id,
    'report_type', population_type_1,
    'simulation_ids', to_jsonb(array_remove(
      array[target.simulation_1_id, nullif(target.simulation_2_id, target.simulation_1_id)], null
    )),
    'economy_cache_rows_deleted', deleted_rows
  );
end;
$$;

comment on procedure public.rerun_report is
'Puts a report and its simulations back to pending and deletes its economy cache rows, in one transaction. '
'call rerun_report(42) prints what it did.';

grant execute on procedure public.rerun_report(bigint, text, jsonb) to pgreprise_api, pgreprise_dba;
