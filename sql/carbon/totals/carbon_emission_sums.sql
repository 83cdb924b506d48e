-- carbon_emission_sums(report_id, only_module_type_id, own_institutional_id, class_field, label_field): the sums of the
-- emissions of a carbon report, one row for each module and emission type, in kilograms and in the unit of the type
-- (carbon_emission_type). With only_module_type_id those of one module, with own_institutional_id those of the entries
-- that a caller with this limit may see (is_own_entry). With class_field, one row for each value of that field of the
-- entries, too, with the values of label_field beside. Roll-ups are left out. All sums of emissions of a report come
-- from here. Only rows of this report are read.
create or replace function pgreprise.carbon_emission_sums(
  report_id bigint, only_module_type_id bigint default null, own_institutional_id text default null,
  class_field text default null, label_field text default null
)
returns table (
  module_type_id bigint, emission_type_id bigint, kg_co2eq double precision, additional_value double precision,
  class text, label text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  -- Lateral, so that the sums are computed only for the modules of this report, by an index.
  return query
    select module.module_type_id::bigint, total.emission_type_id, total.kg_co2eq, total.additional_value,
        total.class, total.label
      from public.carbon_report_modules as module
     cross join lateral (
       select emission.emission_type_id::bigint, sum(emission.kg_co2eq) as kg_co2eq,
           sum(emission.additional_value) as additional_value, named.class, named.label
         from public.data_entries as entry
         join public.data_entry_emissions as emission on emission.data_entry_id = entry.id
        cross join lateral (
          select
              case when carbon_emission_sums.class_field is not null
                then pgreprise.as_jsonb(entry.data::json) ->> carbon_emission_sums.class_field end as class,
              case when carbon_emission_sums.label_field is not null
                then pgreprise.as_jsonb(entry.data::json) ->> carbon_emission_sums.label_field end as label
        ) as named
        where entry.carbon_report_module_id = module.id and not pgreprise.is_rollup(emission.emission_type_id)
          and (carbon_emission_sums.own_institutional_id is null
            or pgreprise.is_own_entry(pgreprise.as_jsonb(entry.data::json), carbon_emission_sums.own_institutional_id))
        group by emission.emission_type_id, named.class, named.label
     ) as total
     where module.carbon_report_id = carbon_emission_sums.report_id
       and (carbon_emission_sums.only_module_type_id is null
         or module.module_type_id = carbon_emission_sums.only_module_type_id);
end;
$$;

comment on function pgreprise.carbon_emission_sums(bigint, bigint, text, text, text) is
'The sums of the emissions of a carbon report, by module and emission type, without roll-ups.';
