-- linked_reports(report_ids, can_be_rerun): reports with their simulations, their economy cache key, and the reason why
-- they cannot be rerun, if there is one. All reports where report_ids is null; with can_be_rerun only those that can
-- be rerun (true) or cannot (false). The order is not defined, and ids that do not exist are left out.
-- Everything that looks at many reports asks here: batches, previews and audits. For one report linked_simulations()
-- and lock_linked_simulations() give the same without a join; calling that for each of many reports would take several
-- times as long as these joins. All use the same rules, report_defect() and economy_cache_key(). Here a report whose
-- cache rows others refer to cannot be rerun either (RR021, lost_rows); the single rerun finds that when it deletes
-- them.
create or replace function pgreprise.linked_reports(
  report_ids bigint[] default null, can_be_rerun boolean default null
)
returns setof pgreprise.linked_report
language plpgsql
stable
set search_path = pg_catalog, pg_temp
-- One report, a few thousand or all: each has another best plan.
set plan_cache_mode = 'force_custom_plan'
as $$
-- The table of an older application has no column report_spec_json. Then the name means the variable, which is null.
#variable_conflict use_column
<<own>>
declare
  report_spec_json constant json := null;
  has_losing_keys  constant boolean := exists (select from pgreprise.losing_keys('reform_impact'));
begin
  return query
    select report.id::bigint, report.country_id::text, report.year::text, report.api_version::text,
        report.status::text, report.run_sequence, simulation_1.population_type::text,
        report.simulation_1_id::bigint, report.simulation_2_id::bigint,
        array_remove(
          array[report.simulation_1_id, nullif(report.simulation_2_id, report.simulation_1_id)]::bigint[], null
        ),
        keyed.cache_key, country.economy_impact_version, country.report_output_version, country.package_version,
        coalesce(defect.errcode, lost.errcode), coalesce(defect.message, lost.message),
        coalesce(defect.detail, lost.detail), coalesce(defect.hint, lost.hint)
      from public.report_outputs as report
      left join public.simulations as simulation_1
        on simulation_1.id = report.simulation_1_id and simulation_1.country_id = report.country_id
      left join public.simulations as simulation_2
        on simulation_2.id = report.simulation_2_id and simulation_2.country_id = report.country_id
      left join pgreprise.country as country on country.country_id = report.country_id
      left join lateral pgreprise.report_defect(report.id, report.country_id, report.year, report.simulation_1_id,
        simulation_1.population_type, report.simulation_2_id, simulation_2.population_type,
        country.economy_impact_version) as defect on true
     cross join lateral (
       select case when simulation_1.population_type = 'geography' then
           pgreprise.economy_cache_key(report.country_id, report.year, simulation_1.population_id,
             simulation_1.policy_id, simulation_2.policy_id,
             (select report_spec_json ->> 'dataset' from (select report.*) as own_columns))
         end as cache_key
     ) as keyed
      left join lateral (
        select referring.errcode, referring.message, referring.detail, referring.hint
          from pgreprise.lost_rows('RR021', 'reform_impact', 'reform_impact_id', array(
            select cached.reform_impact_id::text
              from pgreprise.report_cache_rows(keyed.cache_key, country.economy_impact_version) as cached
          )) as referring
         limit 1
      ) as lost on own.has_losing_keys and defect.errcode is null and keyed.cache_key is not null
     where (linked_reports.report_ids is null or report.id = any (linked_reports.report_ids))
       and (
         linked_reports.can_be_rerun is null
         or (coalesce(defect.errcode, lost.errcode) is null) = linked_reports.can_be_rerun
       );
end;
$$;

comment on function pgreprise.linked_reports(bigint[], boolean) is
'Reports with their simulations, their economy cache key, and why they cannot be rerun.';
