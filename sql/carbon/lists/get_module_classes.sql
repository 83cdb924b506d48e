-- get_module_classes(unit_id, year, module, only_largest, carbon_project_type): the kilograms of a module by type of
-- entries and, below, by the class of the entries (carbon_module_type tells which field that is, and which is shown).
-- With only_largest, the largest classes of a type (carbon_shown_classes), and "rest" for the others.
-- Returns [{"name": the type, "value", "children": [{"name", "value", "percentage": of the module}]}], the largest
-- first. A caller who may see own entries only gets the figures of these.
-- Raises RR017, RC005, RC001, RC002, RC006, RC003, RC016 for a module without classes.
create or replace function public.get_module_classes(
  unit_id bigint, year bigint, module text, only_largest boolean default false, carbon_project_type bigint default 0
)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  target      record;
  shown       bigint;
  module_type pgreprise.carbon_module_type;
begin
  perform pgreprise.enter('reports:read');
  select wanted.* into target
    from pgreprise.find_carbon_module(get_module_classes.unit_id, get_module_classes.year, get_module_classes.module,
      get_module_classes.carbon_project_type) as wanted;

  select listed.* into module_type
    from pgreprise.carbon_module_type as listed
   where listed.module_type_id = target.module_type_id;
  if module_type.class_field is null then
    perform pgreprise.raise_invalid_entry(format('The entries of the module %s have no classes.',
      get_module_classes.module), 'RC016');
  end if;
  if get_module_classes.only_largest then
    shown := pgreprise.carbon_shown_classes();
  end if;

  return (
    with emitted as (
      select entry_type.name as type_name, entry.data ->> module_type.class_field as class,
          entry.data ->> module_type.label_field as label,
          (entry.data ->> 'kg_co2eq')::double precision as kg_co2eq
        from pgreprise.stored_data_entries(target.module_id, own_institutional_id => target.own_institutional_id)
          as entry
        join pgreprise.carbon_entry_type as entry_type on entry_type.data_entry_type_id = entry.data_entry_type_id
       where (entry.data ->> 'kg_co2eq')::double precision > 0
    ),

    ranked as (
      select emitted.type_name, coalesce(max(emitted.label), emitted.class, 'unknown') as name,
          sum(emitted.kg_co2eq) as kg_co2eq,
          row_number() over (partition by emitted.type_name order by sum(emitted.kg_co2eq) desc, emitted.class) as rank
        from emitted
       group by emitted.type_name, emitted.class
    ),

    classes as (
      select ranked.type_name, least(ranked.rank, shown + 1) as rank,
          case when min(ranked.rank) > shown then 'rest' else min(ranked.name) end as name,
          sum(ranked.kg_co2eq) as kg_co2eq
        from ranked
       group by 1, 2
    ),

    types as (
      select classes.type_name, sum(classes.kg_co2eq) as kg_co2eq,
          jsonb_agg(jsonb_build_object('name', classes.name, 'value', classes.kg_co2eq,
            'percentage', classes.kg_co2eq / total.kg_co2eq * 100) order by classes.rank) as children
        from classes
       cross join (select sum(ranked.kg_co2eq) as kg_co2eq from ranked) as total
       group by classes.type_name
    )

    select coalesce(jsonb_agg(jsonb_build_object('name', types.type_name, 'value', types.kg_co2eq,
        'children', types.children) order by types.kg_co2eq desc, types.type_name), '[]')
      from types
  );
end;
$$;

comment on function public.get_module_classes(bigint, bigint, text, boolean, bigint) is
'The kilograms of a module by type and class of its entries.';

grant execute on function public.get_module_classes(bigint, bigint, text, boolean, bigint)
to pgreprise_api, pgreprise_dba;
