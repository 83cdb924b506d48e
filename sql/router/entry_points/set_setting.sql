-- set_setting(name, value): as on a server, on all of them (see set_everywhere).
-- Raises what it raises there, RR035 when a server cannot be reached.
create or replace function public.set_setting(name text, value text)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.set_everywhere(format('Setting %s', set_setting.name), 'set_setting',
    array[set_setting.name, set_setting.value]);
end;
$$;
