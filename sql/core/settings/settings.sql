-- settings(): the settings of pgreprise in this database, by name: value, type, description, and when one of them was
-- changed last. A boolean is on or off. Changes nothing.
-- Raises RR017 when the caller's token may not read.
create or replace function public.settings()
returns table (name text, value text, type text, description text, updated_at timestamptz)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set intervalstyle = 'postgres'
as $$
begin
  perform pgreprise.enter('reports:read');

  return query
    select attribute.attname::text,
        case
          when attribute.atttypid <> 'boolean'::regtype then stored.columns ->> attribute.attname
          when (stored.columns ->> attribute.attname)::boolean then 'on'
          else 'off'
        end,
        format_type(attribute.atttypid, attribute.atttypmod),
        col_description(attribute.attrelid, attribute.attnum),
        stored.updated_at
      from pg_attribute as attribute
     cross join (
       select to_jsonb(setting.*) as columns, setting.updated_at from pgreprise.setting as setting
     ) as stored
     where attribute.attrelid = 'pgreprise.setting'::regclass
       and attribute.attnum > 0
       and not attribute.attisdropped
       and col_description(attribute.attrelid, attribute.attnum) is not null
     order by attribute.attname;
end;
$$;

comment on function public.settings() is 'The settings of pgreprise in this database.';

grant execute on function public.settings() to pgreprise_reader, pgreprise_worker, pgreprise_api, pgreprise_dba;
