-- report_defect(values of a report and its simulations): the reason why such a report cannot be rerun; no row when it
-- can be. report_defect_code() says which it is, and this has the words for it: the single rerun, the creation of a
-- report, the batches and the audit ask it.
-- A null population type means that the simulation does not exist in the report's country. A null report_id means a
-- report that is about to be created.
-- Returns the first of RR033, RR002, RR003, RR004, RR005, RR006 that applies. The caller raises it or lists it.
create or replace function pgreprise.report_defect(
  report_id bigint,
  country_id text,
  year text,
  simulation_1_id bigint,
  population_type_1 text,
  simulation_2_id bigint,
  population_type_2 text,
  economy_impact_version text
)
returns table (errcode text, message text, detail jsonb, hint text)
language sql
stable
begin atomic
  select
    defect.errcode,
    case defect.errcode
      when 'RR002' then format('Report references simulation #%s, but it could not be found for country %s.',
        defect.missing_simulation_id, report_defect.country_id)
      when 'RR033' then format('%s links simulations of different logical shards (%s and %s).', defect.subject,
        pgreprise.id_shard('simulation', report_defect.simulation_1_id),
        pgreprise.id_shard('simulation', report_defect.simulation_2_id))
      when 'RR003' then format('%s links simulations with mismatched population types.', defect.subject)
      when 'RR004' then format('%s has the population type "%s", which is neither household nor geography.',
        defect.subject, report_defect.population_type_1)
      when 'RR005' then format('%s is an economy report without a year.', defect.subject)
      when 'RR006' then format('Country %s has no current economy cache version.', report_defect.country_id)
    end as message,
    jsonb_build_object('report_id', report_defect.report_id)
    || case defect.errcode
      when 'RR002' then jsonb_build_object('simulation_id', defect.missing_simulation_id,
        'country_id', report_defect.country_id)
      when 'RR033' then jsonb_build_object(
        'simulation_ids', jsonb_build_array(report_defect.simulation_1_id, report_defect.simulation_2_id),
        'logical_shards', jsonb_build_array(pgreprise.id_shard('simulation', report_defect.simulation_1_id),
          pgreprise.id_shard('simulation', report_defect.simulation_2_id)))
      when 'RR003' then jsonb_build_object('population_types',
        jsonb_build_array(report_defect.population_type_1, report_defect.population_type_2))
      when 'RR004' then jsonb_build_object('population_type', report_defect.population_type_1)
      when 'RR005' then jsonb_build_object('year', report_defect.year)
      when 'RR006' then jsonb_build_object('country_id', report_defect.country_id)
    end as detail,
    case defect.errcode
      when 'RR002' then 'Create a new report with simulations that exist in its country.'
      when 'RR033' then 'Both simulations of a report must be of one population. Create a new report.'
      when 'RR003' then 'Both simulations of a report must be household, or both geography. Create a new report.'
      when 'RR004' then 'Set population_type of the simulation to household or geography.'
      when 'RR005' then 'Set the year of the report. The year is part of the economy cache key.'
      when 'RR006' then format('Set it: select set_cache_versions(%L, economy_impact => ''<version>'')',
        report_defect.country_id)
    end as hint
  from (
    select
      pgreprise.report_defect_code(report_defect.year, report_defect.simulation_1_id, report_defect.population_type_1,
        report_defect.simulation_2_id, report_defect.population_type_2, report_defect.economy_impact_version)
        as errcode,
      case
        when report_defect.population_type_1 is null then report_defect.simulation_1_id
        else report_defect.simulation_2_id
      end as missing_simulation_id,
      coalesce('Report #' || report_defect.report_id::text, 'The report') as subject
  ) as defect
  where defect.errcode is not null;
end;

comment on function pgreprise.report_defect(bigint, text, text, bigint, text, bigint, text, text) is
'The first reason why a report with these values cannot be rerun; no row when there is none.';
