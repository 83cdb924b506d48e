-- carbon_chart_sums(report_id, exclude_modules): the sums of carbon_emission_sums as charts need them, one row for each
-- emission type that belongs to a category, of all modules except those excluded. key is the last part of the type's
-- name, parent_key that of the type above it; null right below the top of the tree, where the category says as much.
create or replace function pgreprise.carbon_chart_sums(report_id bigint, exclude_modules bigint[])
returns table (
  emission_type_id bigint, name text, key text, parent_key text, category text, it_category text, unit text,
  kg_co2eq double precision, quantity double precision
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select sums.emission_type_id, emission_type.name, regexp_replace(emission_type.name, '^.*__', ''),
        regexp_replace(above.name, '^.*__', ''), emission_type.category, emission_type.it_category, emission_type.unit,
        sum(sums.kg_co2eq), sum(sums.additional_value)
      from pgreprise.carbon_emission_sums(carbon_chart_sums.report_id) as sums
      join pgreprise.carbon_emission_type as emission_type on emission_type.emission_type_id = sums.emission_type_id
      left join pgreprise.carbon_emission_type as above
        on above.emission_type_id = emission_type.parent_id and above.parent_id is not null
     where emission_type.category is not null
       and array_position(carbon_chart_sums.exclude_modules, sums.module_type_id) is null
     group by sums.emission_type_id, emission_type.emission_type_id, above.emission_type_id;
end;
$$;

comment on function pgreprise.carbon_chart_sums(bigint, bigint[]) is
'The sums of the emissions of a carbon report by emission type, with the names that charts show.';
