-- servers(): the servers of this router: the name of each, its logical shards, and the first of them, by which it is
-- called.
create or replace function pgreprise.servers()
returns table (name text, logical_shard integer, logical_shards integer[])
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select coalesce(known.name, format('the server of logical shard %s', min(part.number))), min(part.number),
        array_agg(part.number order by part.number)
      from pg_foreign_server as server
     cross join lateral pg_options_to_table(server.srvoptions) as option
     cross join lateral (select substr(option.option_name, 2)::integer as number
       where option.option_name ~ '^p[0-9]+$') as part
      left join pgreprise.server_name as known on known.connection = option.option_value
     where server.srvname = 'pgreprise'
     group by option.option_value, known.name
     order by min(part.number);
end;
$$;

comment on function pgreprise.servers() is 'The servers of this router, and the logical shards of each.';
