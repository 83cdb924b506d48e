-- carbon_totals(report_id, validated_only): the totals of a carbon report in tonnes and FTE:
-- {"modules": {"1": 25.5, "2": 15.0}, "total_tonnes_co2eq": 15.0, "total_fte": 25.5}. Headcount (1) shows its FTE when
-- it has entries, another module its tonnes when it has emissions; otherwise it does not appear. total_tonnes_co2eq
-- includes the emissions of headcount. With validated_only only validated modules count, otherwise all.
create or replace function pgreprise.carbon_totals(report_id bigint, validated_only boolean)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select jsonb_build_object(
        'modules', coalesce(jsonb_object_agg(module_sums.module_type_id, shown.value)
          filter (where shown.value is not null), '{}'),
        'total_tonnes_co2eq', coalesce(sum(module_sums.kg_co2eq), 0) / 1000,
        'total_fte', coalesce(sum(module_sums.fte), 0)
      )
      from pgreprise.carbon_module_sums(carbon_totals.report_id) as module_sums
     cross join lateral (
       select case
         when module_sums.module_type_id = 1 and module_sums.entries > 0 then coalesce(module_sums.fte, 0)
         else module_sums.kg_co2eq / 1000
       end as value
     ) as shown
     where not carbon_totals.validated_only or module_sums.status = 2
  );
end;
$$;

comment on function pgreprise.carbon_totals(bigint, boolean) is
'The tonnes and FTE of a carbon report, of all its modules or only of the validated ones.';
