-- server_of(shard): the logical shard by which the server of this name is called.
-- Raises RR036 where no name is given, or no server has it.
create or replace function pgreprise.server_of(shard text)
returns integer
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  found_one integer;
begin
  select server.logical_shard into found_one
    from pgreprise.servers() as server
   where server.name = server_of.shard;
  if not found then
    raise exception using
      errcode = 'RR036',
      message = case
        when server_of.shard is null then 'Each server has a feed of its own. Nothing was read.'
        else format('There is no server "%s".', server_of.shard)
      end,
      detail = jsonb_build_object('shard', server_of.shard),
      hint = (
        select 'Give the name of one: ' || string_agg(format('shard => %L', server.name), ' or ' order by server.name)
          from pgreprise.servers() as server
      );
  end if;
  return found_one;
end;
$$;

comment on function pgreprise.server_of(text) is 'The logical shard by which the server of a name is called.';
