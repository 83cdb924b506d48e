-- viewable_unit_ids(unit_id): of which units a list shows the reports: the ids of all that the caller may view, or null
-- where that is every unit. With unit_id it is that one. It is the rule of require_unit_access for many units at once:
-- what it costs depends on the roles of the caller, not on how many units there are.
-- Raises RC001 for a unit_id that no unit has, RC002 for one that the caller may not view.
create or replace function pgreprise.viewable_unit_ids(unit_id bigint default null)
returns bigint[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  is_everywhere     boolean;
  institutional_ids text[];
begin
  if viewable_unit_ids.unit_id is not null then
    perform public.require_unit_access(viewable_unit_ids.unit_id);
    return array[viewable_unit_ids.unit_id];
  end if;

  select coalesce(bool_or(held.kind = 'global'), false), array_agg(distinct held.institutional_id)
    into is_everywhere, institutional_ids
    from pgreprise.carbon_caller_rights() as held
   where held.resource = 'reports' and held.action = 'view';

  if is_everywhere then
    return null;
  end if;
  return array(
    select unit.id::bigint
      from public.units as unit
     where unit.institutional_id = any (institutional_ids)
     order by unit.id
  );
end;
$$;

comment on function pgreprise.viewable_unit_ids(bigint) is
'The ids of the units whose reports a list shows to the caller, or null for every unit.';
