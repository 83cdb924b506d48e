-- server_facts(): each server of this router, its logical shards as the router has them, and what the server says of
-- itself, or, where it says nothing, why.
create or replace function pgreprise.server_facts()
returns table (name text, logical_shards integer[], facts jsonb, problem text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  server record;
  found_facts jsonb;
  reason text;
begin
  for server in
    select known.name, known.logical_shard, known.logical_shards from pgreprise.servers() as known
  loop
    found_facts := null;
    reason := null;
    begin
      select answer.facts into found_facts from pgreprise_remote.facts(own.server.logical_shard) as answer;
    exception
      when others then
        reason := sqlerrm;
    end;
    return query select server.name, server.logical_shards, own.found_facts, own.reason;
  end loop;
end;
$$;

comment on function pgreprise.server_facts() is 'The servers of this router, and what each says of itself.';
