-- json_differences(old_document, new_document): what differs between two JSON values, in no order: one row for each
-- place, with its path as a JSON pointer (RFC 6901; '' is the whole value), whether it was added, removed or changed,
-- and its value in each. A value is null where the place does not exist, and 'null' where it holds a JSON null.
-- Objects are compared key by key, arrays element by element in their order, and all else as jsonb compares it: 1.0
-- is 1, and 1 is not "1". Where one has an object and the other an array, the place has changed as a whole. So has one
-- 200 levels deep that differs further below, because the work for a level grows with all that is below it.
create or replace function pgreprise.json_differences(old_document jsonb, new_document jsonb)
returns table (path text, change text, old_value jsonb, new_value jsonb)
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    with recursive place as (
      select '' as path, 200 as levels, json_differences.old_document as before, json_differences.new_document as now,
          pgreprise.json_container(json_differences.old_document, json_differences.new_document) as container
       where json_differences.old_document is distinct from json_differences.new_document
      union all
      select place.path || '/' || replace(replace(inner_place.key, '~', '~0'), '/', '~1'), place.levels - 1,
          inner_place.before, inner_place.now,
          case when place.levels > 1 then pgreprise.json_container(inner_place.before, inner_place.now) end
        from place
       cross join lateral (
         select coalesce(old_field.key, new_field.key) as key, old_field.value as before, new_field.value as now
           from jsonb_each(case when place.container = 'object' then place.before end) as old_field
           full join jsonb_each(case when place.container = 'object' then place.now end) as new_field
             on new_field.key = old_field.key
         union all
         select (coalesce(old_element.number, new_element.number) - 1)::text, old_element.value, new_element.value
           from jsonb_array_elements(case when place.container = 'array' then place.before end)
             with ordinality as old_element(value, number)
           full join jsonb_array_elements(case when place.container = 'array' then place.now end)
             with ordinality as new_element(value, number)
             on new_element.number = old_element.number
       ) as inner_place
       where place.container is not null and inner_place.before is distinct from inner_place.now
    )

    select place.path,
        case when place.before is null then 'added' when place.now is null then 'removed' else 'changed' end,
        place.before, place.now
      from place
     where place.container is null;
end;
$$;

comment on function pgreprise.json_differences(jsonb, jsonb) is
'What differs between two JSON values, with the path of each place.';
