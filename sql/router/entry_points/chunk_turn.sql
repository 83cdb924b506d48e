-- chunk_turn(kind, chunk_position): where a chunk of something that one server does after another goes on: turn is the
-- first logical shard of the server, server_position the position there. A position that the router gives is that of
-- the server, times 64, and its first logical shard. kind is what the position is of: report or rerun.
-- Where the servers have other logical shards since, it begins again: 0, and null. What is done is not done twice.
create or replace function pgreprise.chunk_turn(
  kind text, chunk_position bigint, out turn integer, out server_position bigint
)
returns record
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  turn := coalesce(chunk_turn.chunk_position & 63, 0);
  server_position := nullif(chunk_turn.chunk_position >> 6, 0);
  if not exists (
    select from pgreprise.servers() as known
     where known.logical_shard = chunk_turn.turn
       and pgreprise.shard_of(chunk_turn.kind, chunk_turn.server_position) = any (known.logical_shards)
  ) then
    turn := 0;
    server_position := null;
  end if;
end;
$$;

comment on function pgreprise.chunk_turn(text, bigint) is
'The server whose turn a position tells, and where it goes on.';
