-- set_setting(name, value): change a setting of pgreprise, such as archive_outputs. With it off reruns
-- keep no outputs, so that they cannot be undone; what was archived before stays.
-- Raises RR016 for a name that is no setting, and for a value that it cannot have.
create or replace function public.set_setting(name text, value text)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  allowed_values text[];
begin
  perform pgreprise.enter('reports:admin');
  -- Refuses an unknown name.
  perform pgreprise.setting(set_setting.name);

  select entry.allowed into allowed_values
    from pgreprise.configuration as entry
   where entry.name = set_setting.name;
  if set_setting.value is null or set_setting.value <> all (allowed_values) then
    raise exception using
      errcode = 'RR016',
      message = format('Setting %s cannot be %L.', set_setting.name, set_setting.value),
      detail = jsonb_build_object('name', set_setting.name, 'value', set_setting.value),
      hint = format('It is one of: %s.', array_to_string(allowed_values, ', '));
  end if;

  update pgreprise.configuration as entry
     set value = set_setting.value, updated_at = now()
   where entry.name = set_setting.name;
end;
$$;

comment on function public.set_setting(text, text) is 'Changes a setting of pgreprise in this database.';

grant execute on function public.set_setting(text, text) to pgreprise_dba;
