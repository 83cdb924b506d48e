-- carbon_totals(report_id, validated_only): the totals of a carbon report in tonnes and FTE:
-- {"modules": {"1": 25.5, "2": 15.0}, "total_tonnes_co2eq": 15.0, "total_fte": 25.5}. Headcount shows its FTE, the
-- others tonnes; the tonnes include what headcount emits. A module without entries does not appear.
-- With validated_only the modules count that are validated, otherwise all.
create or replace function pgreprise.carbon_totals(report_id bigint, validated_only boolean)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select jsonb_build_object(
        'modules', coalesce(jsonb_object_agg(figures.module_type_id,
          coalesce(figures.fte, figures.kg_co2eq * 0.001)) filter (where figures.entries > 0), '{}'),
        'total_tonnes_co2eq', coalesce(sum(figures.kg_co2eq), 0) * 0.001,
        'total_fte', coalesce(sum(figures.fte), 0)
      )
      from pgreprise.carbon_figures(carbon_totals.report_id) as figures
     where not carbon_totals.validated_only or figures.status = 2
  );
end;
$$;

comment on function pgreprise.carbon_totals(bigint, boolean) is
'The tonnes and FTE of a carbon report, of all its modules or of those that are validated.';
