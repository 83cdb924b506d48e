-- setting(name): a setting of pgreprise in this database, such as archive_outputs ('on' or 'off').
-- Raises RR016 for a name that is no setting.
create or replace function pgreprise.setting(name text)
returns text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  found_value text;
begin
  select entry.value into found_value
    from pgreprise.configuration as entry
   where entry.name = setting.name;

  if not found then
    raise exception using
      errcode = 'RR016',
      message = format('There is no setting "%s".', setting.name),
      detail = jsonb_build_object('name', setting.name),
      hint = (select 'The settings are: ' || string_agg(entry.name, ', ' order by entry.name)
                from pgreprise.configuration as entry);
  end if;
  return found_value;
end;
$$;

comment on function pgreprise.setting(text) is 'A setting of pgreprise; set_setting() changes it.';

grant execute on function pgreprise.setting(text) to pgreprise_reader, pgreprise_api, pgreprise_dba;
