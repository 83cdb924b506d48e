-- rerun_batch_preview(filter): what create_rerun_batch() would list with this filter now, counted by country, report
-- type, status and defect: errcode is null for the reports that a batch would rerun. first_report_id is one to look
-- at. Explicit ids without a report count under RR001. Changes nothing and locks nothing.
-- Raises RR015 for a filter that cannot be used.
create or replace function public.rerun_batch_preview(filter jsonb)
returns table (
  country_id text, report_type text, status text, errcode text, reports bigint, first_report_id bigint
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read');
  return query
    select report.country_id::text, simulation_1.population_type::text, report.status::text, said.errcode, count(*),
        min(listed.report_id)
      from pgreprise.batch_reports(rerun_batch_preview.filter) as listed(report_id)
      left join public.report_outputs as report on report.id = listed.report_id
      left join public.simulations as simulation_1
        on simulation_1.id = report.simulation_1_id and simulation_1.country_id = report.country_id
      left join public.simulations as simulation_2
        on simulation_2.id = report.simulation_2_id and simulation_2.country_id = report.country_id
      left join pgreprise.country as country on country.country_id = report.country_id
      left join lateral pgreprise.report_defect(report.id, report.country_id, report.year, report.simulation_1_id,
        simulation_1.population_type, report.simulation_2_id, simulation_2.population_type,
        country.economy_impact_version) as defect on report.id is not null
     cross join lateral (
       select case when report.id is null then 'RR001' else defect.errcode end as errcode
     ) as said
     group by report.country_id, simulation_1.population_type, report.status, said.errcode
     order by said.errcode nulls first, report.country_id, simulation_1.population_type, report.status;
end;
$$;

comment on function public.rerun_batch_preview(jsonb) is
'What a batch with this filter would list now, counted by country, report type, status and defect.';

grant execute on function public.rerun_batch_preview(jsonb) to pgreprise_reader, pgreprise_dba;
