-- host_columns(): the columns of reform_impact that a host has added and pgreprise does not know, with their types, in
-- their order. There are none in a table that pgreprise created. Generated columns are left out.
create or replace function pgreprise.host_columns()
returns table (column_name name, type_name text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select attribute.attname, format_type(attribute.atttypid, attribute.atttypmod)
      from pg_attribute as attribute
     where attribute.attrelid = 'public.reform_impact'::regclass
       and attribute.attnum > 0
       and not attribute.attisdropped
       and attribute.attgenerated = ''
       and not exists (
         select from pg_attribute as known
          where known.attrelid = 'pgreprise.reform_impact_archive'::regclass
            and known.attname = attribute.attname
            -- These two belong to the archive. A column of the host may have the same name.
            and known.attname not in ('removal_id', 'host_columns')
       )
     order by attribute.attnum;
end;
$$;

comment on function pgreprise.host_columns() is
'The columns of reform_impact that the host has added; the archive keeps them as text.';
