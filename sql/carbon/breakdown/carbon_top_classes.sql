-- carbon_top_classes(report_id, it_category): the classes of a carbon report's entries that emit most of an
-- it_category, and "rest" for all others, as an array [{"name", "value"}] in tonnes, the largest first and the rest
-- last. carbon_module_type tells which field of an entry is its class, and which is shown.
create or replace function pgreprise.carbon_top_classes(report_id bigint, it_category text)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    with emitted as (
      select sums.class, sums.label, sums.kg_co2eq
        from (
          -- First, so that the sums are computed only for the module of the category.
          select module_type.module_type_id, module_type.class_field, module_type.label_field
            from pgreprise.carbon_module_type as module_type
           where module_type.module_type_id in (
             select of_category.module_type_id
               from pgreprise.carbon_emission_type as of_category
              where of_category.it_category = carbon_top_classes.it_category
           )
          offset 0
        ) as module_type
       cross join lateral pgreprise.carbon_emission_sums(carbon_top_classes.report_id, module_type.module_type_id,
         class_field => module_type.class_field, label_field => module_type.label_field) as sums
        join pgreprise.carbon_emission_type as emission_type
          on emission_type.emission_type_id = sums.emission_type_id
             and emission_type.module_type_id = sums.module_type_id
       where emission_type.it_category = carbon_top_classes.it_category and sums.kg_co2eq > 0
    ),

    ranked as (
      select coalesce(max(coalesce(emitted.label, emitted.class)), 'unknown') as name,
          sum(emitted.kg_co2eq) as kg_co2eq,
          row_number() over (order by sum(emitted.kg_co2eq) desc, emitted.class) as rank
        from emitted
       group by emitted.class
    ),

    listed as (
      select least(ranked.rank, pgreprise.carbon_shown_classes() + 1) as rank,
          case when min(ranked.rank) <= pgreprise.carbon_shown_classes() then min(ranked.name) else 'rest' end as name,
          sum(ranked.kg_co2eq) as kg_co2eq
        from ranked
       group by 1
    )

    select coalesce(jsonb_agg(jsonb_build_object('name', listed.name, 'value', listed.kg_co2eq / 1000)
        order by listed.rank), '[]')
      from listed
  );
end;
$$;

comment on function pgreprise.carbon_top_classes(bigint, text) is
'The classes of the entries of a carbon report that emit most of a category of IT.';
