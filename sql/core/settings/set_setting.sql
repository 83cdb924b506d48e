-- set_setting(name, value): changes a setting of pgreprise: set_setting('archive_outputs', 'off'). The value is
-- written as its type is written in SQL. While archive_outputs is off, reruns keep no outputs and cannot be undone;
-- what was archived before stays.
-- Raises RR016 for a name that is no setting and for a value that the setting cannot have, RR017 when the caller may
-- not change settings.
create or replace function public.set_setting(name text, value text)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  chosen record;
begin
  perform pgreprise.enter('reports:admin');

  select listed.type, string_agg(pg_get_constraintdef(rule.oid), ', ' order by rule.conname) as checks into chosen
    from public.settings() as listed
    join pg_attribute as attribute
      on attribute.attrelid = 'pgreprise.setting'::regclass and attribute.attname = listed.name
    left join pg_constraint as rule
      on rule.conrelid = attribute.attrelid and rule.contype = 'c' and attribute.attnum = any (rule.conkey)
   where listed.name = set_setting.name
   group by listed.type;
  if not found then
    raise exception using
      errcode = 'RR016',
      message = format('There is no setting "%s".', set_setting.name),
      detail = jsonb_build_object('name', set_setting.name),
      hint = (select 'The settings are: ' || string_agg(listed.name, ', ' order by listed.name)
                from public.settings() as listed);
  end if;

  begin
    -- jsonb_populate_record reads the value with the input function of the column's type.
    execute format(
      'update pgreprise.setting as setting set %1$I = given.%1$I, updated_at = now() '
      'from jsonb_populate_record(null::pgreprise.setting, jsonb_build_object($1, $2)) as given',
      set_setting.name
    )
    using set_setting.name, set_setting.value;
  exception
    when data_exception or integrity_constraint_violation then
      raise exception using
        errcode = 'RR016',
        message = format('Setting %s cannot be %L.', set_setting.name, set_setting.value),
        detail = jsonb_build_object('name', set_setting.name, 'value', set_setting.value),
        hint = format('Its type is %s%s.',
          case chosen.type when 'boolean' then 'boolean (on or off)' else chosen.type end, ', ' || chosen.checks);
  end;
end;
$$;

comment on function public.set_setting(text, text) is 'Changes a setting of pgreprise in this database.';

grant execute on function public.set_setting(text, text) to pgreprise_dba;
