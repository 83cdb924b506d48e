-- get_module_view(unit_id, year, module, carbon_project_type, as_of): what the page of a module shows above its tables:
-- {"carbon_report_module_id", "retrieved_at", "data_entry_types_total_items": {"20": 2, "21": 0}, "stats", "totals"}.
-- The stats of headcount are FTE by sius_code and of "student", its totals only total_annual_fte. The stats of other
-- modules are kilograms by emission type, and their totals leave out the additional categories (commuting, food, waste,
-- embodied energy). A caller who may see own entries only gets the figures of these.
-- Raises RR017, RC005, RC001, RC002, RC006, RC003.
create or replace function public.get_module_view(
  unit_id bigint, year bigint, module text, carbon_project_type bigint default 0, as_of timestamptz default now()
)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  target record;
  stats  jsonb;
  totals jsonb;
begin
  perform pgreprise.enter('reports:read');
  select wanted.* into target
    from pgreprise.find_carbon_module(get_module_view.unit_id, get_module_view.year, get_module_view.module,
      get_module_view.carbon_project_type) as wanted;

  if target.module_type_id = 1 then
    select coalesce(jsonb_object_agg(worked.class, worked.fte) filter (where worked.class <> 'student'), '{}')
          || jsonb_build_object('student', sum(worked.fte) filter (where worked.class = 'student')),
        jsonb_build_object('total_kg_co2eq', null, 'total_tonnes_co2eq', null,
          'total_annual_fte', coalesce(sum(worked.fte), 0), 'total_annual_consumption_kwh', null)
      into stats, totals
      from (
        select case entry.data_entry_type_id when 2 then 'student'
            else coalesce(entry.data ->> 'sius_code', 'unknown') end as class,
            sum(pgreprise.entry_fte(entry.data::json)) as fte
          from pgreprise.stored_data_entries(target.module_id,
            own_institutional_id => target.own_institutional_id) as entry
         group by 1
      ) as worked;
  else
    select coalesce(jsonb_object_agg(sums.emission_type_id, sums.kg_co2eq), '{}'),
        jsonb_build_object('total_kg_co2eq', sum(sums.kg_co2eq) filter (where not sums.is_additional),
          'total_tonnes_co2eq', sum(sums.kg_co2eq) filter (where not sums.is_additional) / 1000,
          'total_annual_fte', null, 'total_annual_consumption_kwh', null)
      into stats, totals
      from (
        select emitted.emission_type_id, emitted.kg_co2eq, coalesce(category.is_additional, false) as is_additional
          from pgreprise.carbon_emission_sums(target.report_id, target.module_type_id, target.own_institutional_id)
            as emitted
          left join pgreprise.carbon_emission_type as emission_type
            on emission_type.emission_type_id = emitted.emission_type_id
          left join pgreprise.carbon_emission_category as category on category.category = emission_type.category
      ) as sums;
  end if;

  return jsonb_build_object(
    'carbon_report_module_id', target.module_id,
    'retrieved_at', pgreprise.utc_text(get_module_view.as_of),
    'data_entry_types_total_items', (
      select jsonb_object_agg(listed.data_entry_type_id, (
          select count(*)
            from public.data_entries as entry
           where entry.carbon_report_module_id = target.module_id
             and entry.data_entry_type_id = listed.data_entry_type_id
             and pgreprise.is_own_entry(pgreprise.as_jsonb(entry.data::json), target.own_institutional_id)
        ))
        from pgreprise.carbon_entry_type as listed
       where listed.module_type_id = target.module_type_id
    ),
    'stats', stats,
    'totals', totals
  );
end;
$$;

comment on function public.get_module_view(bigint, bigint, text, bigint, timestamptz) is
'What the page of a module shows above its tables.';

grant execute on function public.get_module_view(bigint, bigint, text, bigint, timestamptz)
to pgreprise_api, pgreprise_dba;
