-- settings(): the settings of pgreprise in this database, by name: value, what else it may be, what it is for.
-- Changes nothing, raises nothing.
create or replace function public.settings()
returns table (name text, value text, allowed text[], description text, updated_at timestamptz)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read');
  return query
    select entry.name, entry.value, entry.allowed, entry.description, entry.updated_at
      from pgreprise.configuration as entry
     order by entry.name;
end;
$$;

comment on function public.settings() is 'The settings of pgreprise in this database.';

grant execute on function public.settings() to pgreprise_reader, pgreprise_dba;
