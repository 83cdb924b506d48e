-- report_defect_code(values of a report and its simulations): which linkage defect such a report has: the first of
-- RR033, RR002, RR003, RR004, RR005, RR006 that applies; null when it can be rerun. This is the only place that says
-- what a linkage defect is; report_defect() has the words for it. A null population type means that the simulation does
-- not exist in the report's country.
-- PostgreSQL puts this expression into the one that asks, so that asking costs neither a call nor a statement.
create or replace function pgreprise.report_defect_code(
  year text,
  simulation_1_id bigint,
  population_type_1 text,
  simulation_2_id bigint,
  population_type_2 text,
  economy_impact_version text
)
returns text
language sql
stable
begin atomic
  select case
    -- The second simulation may be on another server, so this comes first.
    when report_defect_code.simulation_2_id <> report_defect_code.simulation_1_id
      and pgreprise.lie_apart(report_defect_code.simulation_1_id, report_defect_code.simulation_2_id) then 'RR033'
    when report_defect_code.population_type_1 is null
      or (report_defect_code.simulation_2_id is not null and report_defect_code.population_type_2 is null) then 'RR002'
    when report_defect_code.simulation_2_id is not null
      and report_defect_code.population_type_1 <> report_defect_code.population_type_2 then 'RR003'
    when report_defect_code.population_type_1 not in ('household', 'geography') then 'RR004'
    when report_defect_code.population_type_1 = 'household' then null
    when coalesce(btrim(report_defect_code.year), '') = '' then 'RR005'
    when report_defect_code.economy_impact_version is null then 'RR006'
  end as errcode;
end;

comment on function pgreprise.report_defect_code(text, bigint, text, bigint, text, text) is
'Which linkage defect a report with these values has; null when it can be rerun.';
