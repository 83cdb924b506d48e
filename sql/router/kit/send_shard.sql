-- send_shard(logical_shard, name, connection): from now on calls for a logical shard go to the server of this name.
-- connection is how a server is reached that this router does not know yet. The owner of the servers calls it when a
-- logical shard has been moved. Returns whether they went elsewhere before.
create or replace function pgreprise.send_shard(logical_shard integer, name text, connection text)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  option_name constant text := 'p' || send_shard.logical_shard;
  wanted      text;
begin
  insert into pgreprise.server_name as known (name, connection)
  values (send_shard.name, send_shard.connection)
  on conflict do nothing;
  wanted := coalesce(
    (select known.connection from pgreprise.server_name as known where known.name = send_shard.name),
    send_shard.connection
  );
  if exists (
    select from pg_foreign_server as server
     cross join lateral pg_options_to_table(server.srvoptions) as option
     where server.srvname = 'pgreprise' and option.option_name = own.option_name and option.option_value = own.wanted
  ) then
    return false;
  end if;
  execute format('alter server pgreprise options (set %I %L)', option_name, wanted);
  return true;
end;
$$;

comment on function pgreprise.send_shard(integer, text, text) is
'From now on calls for a logical shard go to the server of this name.';
