-- linked_reports(report_ids): reports with their simulations, their economy cache key, and the reason why they cannot
-- be rerun, if there is one; all reports where report_ids is null. In no order, and without ids that do not exist.
-- Everything that looks at many reports asks here: batches, previews and audits. For one report linked_simulations()
-- gives the same without a join; a call of it for each of many reports would take several times as long as these
-- joins. The rules are report_defect() and economy_cache_key() in both cases.
create or replace function pgreprise.linked_reports(report_ids bigint[] default null)
returns setof pgreprise.linked_report
language plpgsql
stable
set search_path = pg_catalog, pg_temp
-- One report, a few thousand or all: each has another best plan.
set plan_cache_mode = 'force_custom_plan'
as $$
begin
  return query
    select report.id::bigint, report.country_id::text, report.status::text, report.run_sequence,
        simulation_1.population_type::text,
        array_remove(
          array[report.simulation_1_id, nullif(report.simulation_2_id, report.simulation_1_id)]::bigint[], null
        ),
        case when simulation_1.population_type = 'geography' then
          pgreprise.economy_cache_key(report.country_id, report.year, simulation_1.population_id,
            simulation_1.policy_id, simulation_2.policy_id)
        end,
        country.economy_impact_version, country.package_version,
        defect.errcode, defect.message, defect.detail, defect.hint
      from public.report_outputs as report
      left join public.simulations as simulation_1
        on simulation_1.id = report.simulation_1_id and simulation_1.country_id = report.country_id
      left join public.simulations as simulation_2
        on simulation_2.id = report.simulation_2_id and simulation_2.country_id = report.country_id
      left join pgreprise.country as country on country.country_id = report.country_id
      left join lateral pgreprise.report_defect(report.id, report.country_id, report.year, report.simulation_1_id,
        simulation_1.population_type, report.simulation_2_id, simulation_2.population_type,
        country.economy_impact_version) as defect on true
     where linked_reports.report_ids is null or report.id = any (linked_reports.report_ids);
end;
$$;

comment on function pgreprise.linked_reports(bigint[]) is
'Reports with their simulations, their economy cache key, and why they cannot be rerun.';
