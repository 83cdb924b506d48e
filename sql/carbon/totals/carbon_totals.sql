-- carbon_totals(report_id, validated_only): the totals of a carbon report in tonnes and FTE:
-- {"modules": {"1": 25.5, "2": 15.0}, "total_tonnes_co2eq": 15.0, "total_fte": 25.5}. The number of headcount (1) is
-- its FTE, the numbers of other modules are tonnes. total_tonnes_co2eq includes the emissions of headcount. A module
-- without entries does not appear. With validated_only only validated modules count, otherwise all.
create or replace function pgreprise.carbon_totals(report_id bigint, validated_only boolean)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select jsonb_build_object(
        'modules', coalesce(jsonb_object_agg(module_sums.module_type_id,
          coalesce(module_sums.fte, module_sums.kg_co2eq * 0.001)) filter (where module_sums.entries > 0), '{}'),
        'total_tonnes_co2eq', coalesce(sum(module_sums.kg_co2eq), 0) * 0.001,
        'total_fte', coalesce(sum(module_sums.fte), 0)
      )
      from pgreprise.carbon_module_sums(carbon_totals.report_id) as module_sums
     where not carbon_totals.validated_only or module_sums.status = 2
  );
end;
$$;

comment on function pgreprise.carbon_totals(bigint, boolean) is
'The tonnes and FTE of a carbon report, of all its modules or only of the validated ones.';
