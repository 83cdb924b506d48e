-- require_fitting_entry(module_id, data_entry_type_id, data, item_id): refuses an entry whose fields do not fit each
-- other, or other entries of the module: a device is used for 168 hours a week at most, and a person is a member once.
-- item_id is the entry that gets these fields, null for a new one. The calling routine has locked the row of the
-- report.
-- Raises RC013, RC014.
create or replace function pgreprise.require_fitting_entry(
  module_id bigint, data_entry_type_id bigint, data jsonb, item_id bigint default null
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  hours    numeric;
  existing bigint;
begin
  if require_fitting_entry.data_entry_type_id in (10, 11, 12) then
    hours := (require_fitting_entry.data ->> 'active_usage_hours_per_week')::numeric
      + (require_fitting_entry.data ->> 'standby_usage_hours_per_week')::numeric;
    if hours > 168 then
      perform pgreprise.raise_invalid_entry(format('active_usage_hours_per_week and standby_usage_hours_per_week are '
        '%s hours together, and a week has 168.', hours));
    end if;
  end if;

  if require_fitting_entry.data_entry_type_id = 1 then
    select entry.id into existing
      from public.data_entries as entry
     where entry.carbon_report_module_id = require_fitting_entry.module_id
       and entry.data_entry_type_id = 1
       and pgreprise.as_jsonb(entry.data::json) ->> 'user_institutional_id'
         = require_fitting_entry.data ->> 'user_institutional_id'
       and entry.id is distinct from require_fitting_entry.item_id
     limit 1;
    if found then
      -- The front end of the calculator knows this message, and shows a sentence of its own.
      raise exception using
        errcode = 'RC014',
        message = 'DUPLICATE_INSTITUTIONAL_ID',
        detail = jsonb_build_object('user_institutional_id', require_fitting_entry.data ->> 'user_institutional_id',
          'item_id', existing),
        hint = format('Entry #%s is of this person. Change that one.', existing);
    end if;
  end if;
end;
$$;

comment on function pgreprise.require_fitting_entry(bigint, bigint, jsonb, bigint) is
'Refuses an entry that does not fit in itself (RC013) or beside others (RC014).';
