-- get_data_entries(unit_id, year, module, entry_type, page, page_size, sort_by, is_descending, filter,
-- carbon_project_type): a page of the entries of one type in a module. sort_by is id, kg_co2eq or a field of the type
-- (carbon_entry_field); equal ones are in the order of their ids. With filter, only entries that have this text in one
-- of their text fields, in capitals or not. Returns {"id": the type, "count": of this page, "items": [the entries,
-- their fields beside id], "summary": {"total_items", ...}, "has_more"}. The calculator leaves the sums of the summary
-- 0.
-- Raises RR017, RC005, RC001, RC002, RC006, RC015, RC003, RC016 for a page or order that there cannot be.
create or replace function public.get_data_entries(
  unit_id bigint,
  year bigint,
  module text,
  entry_type text,
  page bigint default 1,
  page_size bigint default 100,
  sort_by text default 'id',
  is_descending boolean default false,
  filter text default null,
  carbon_project_type bigint default 0
)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  target  record;
  type_id bigint;
  needle  constant text := nullif(lower(get_data_entries.filter), '');
begin
  perform pgreprise.enter('reports:read');
  select wanted.* into target
    from pgreprise.find_carbon_module(get_data_entries.unit_id, get_data_entries.year, get_data_entries.module,
      get_data_entries.carbon_project_type) as wanted;
  type_id := pgreprise.carbon_entry_type_id(target.module_type_id, get_data_entries.entry_type);

  if coalesce(get_data_entries.page, 0) not between 1 and 1000000000
    or coalesce(get_data_entries.page_size, 0) not between 1 and 1000
  then
    perform pgreprise.raise_invalid_entry('page must be 1 or more, and limit from 1 to 1000.', 'RC016');
  end if;
  if get_data_entries.sort_by is null or get_data_entries.sort_by not in ('id', 'kg_co2eq') then
    perform pgreprise.require_entry_field(type_id, get_data_entries.sort_by);
  end if;

  return (
    with found as (
      select entry.id, entry.data_entry_type_id, entry.carbon_report_module_id, entry.status, entry.data,
          case when get_data_entries.sort_by <> 'id'
            then nullif(entry.data -> get_data_entries.sort_by, 'null') end as key
        from pgreprise.stored_data_entries(target.module_id, type_id,
          own_institutional_id => target.own_institutional_id) as entry
       where needle is null or exists (
         select from pgreprise.carbon_entry_field as field
          where field.data_entry_type_id = type_id and field.kind = 'text'
            and position(needle in lower(entry.data ->> field.name)) > 0
       )
    ),

    shown as (
      select found.*, row_number() over (
          order by case when not get_data_entries.is_descending then found.key end nulls last,
            case when get_data_entries.is_descending then found.key end desc nulls last,
            case when get_data_entries.is_descending then -found.id else found.id end
        ) as position
        from found
    ),

    counted as (
      select count(*) as total_items from found
    ),

    listed as (
      select count(*) as items, coalesce(jsonb_agg(shown.data || jsonb_build_object('id', shown.id,
          'data_entry_type_id', shown.data_entry_type_id, 'carbon_report_module_id', shown.carbon_report_module_id,
          'status', shown.status) order by shown.position), '[]') as entries
        from shown
       where shown.position > (get_data_entries.page - 1) * get_data_entries.page_size
         and shown.position <= get_data_entries.page * get_data_entries.page_size
    )

    select jsonb_build_object(
        'id', type_id,
        'count', listed.items,
        'items', listed.entries,
        'summary', jsonb_build_object('total_items', counted.total_items, 'annual_fte', 0,
          'annual_consumption_kwh', 0, 'total_kg_co2eq', 0),
        'has_more', counted.total_items > get_data_entries.page * get_data_entries.page_size
      )
      from listed
     cross join counted
  );
end;
$$;

comment on function public.get_data_entries(bigint, bigint, text, text, bigint, bigint, text, boolean, text, bigint) is
'A page of the entries of one type in a module.';

grant execute on function
public.get_data_entries(bigint, bigint, text, text, bigint, bigint, text, boolean, text, bigint)
to pgreprise_api, pgreprise_dba;
