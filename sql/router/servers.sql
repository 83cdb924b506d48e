-- servers(): the servers of this router: a logical shard that each has, by which it is called, and all of them.
create or replace function pgreprise.servers()
returns table (logical_shard integer, logical_shards integer[])
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select min(part.number), array_agg(part.number order by part.number)
      from pg_foreign_server as server
     cross join lateral pg_options_to_table(server.srvoptions) as option
     cross join lateral (select substr(option.option_name, 2)::integer as number
       where option.option_name ~ '^p[0-9]+$') as part
     where server.srvname = 'pgreprise'
     group by option.option_value
     order by min(part.number);
end;
$$;

comment on function pgreprise.servers() is 'The servers of this router, and the logical shards of each.';
