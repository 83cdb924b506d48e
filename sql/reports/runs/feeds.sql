-- feeds(): the feeds of reruns that there are here: one, whose name is null. A router has one for each server, by its
-- name, which rerun_feed(shard => ...) takes.
create or replace function pgreprise.feeds()
returns table (shard text)
language sql
immutable
begin atomic
  select null::text as shard;
end;

comment on function pgreprise.feeds() is 'The feeds of reruns that there are here.';

grant execute on function pgreprise.feeds() to pgreprise_reader, pgreprise_api, pgreprise_dba;
