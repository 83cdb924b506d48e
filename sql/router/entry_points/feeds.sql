-- feeds(): the feeds of reruns behind this router: one for each server, by its name.
create or replace function pgreprise.feeds()
returns table (shard text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return query select server.name from pgreprise.servers() as server order by server.name;
end;
$$;

comment on function pgreprise.feeds() is 'The feeds of reruns behind this router.';

grant execute on function pgreprise.feeds() to pgreprise_reader, pgreprise_api, pgreprise_dba;
