-- require_one_feed(shard): refuses the name of a server, where there is one feed and not one for each of several
-- servers.
-- Raises RR016.
create or replace function pgreprise.require_one_feed(shard text)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if require_one_feed.shard is not null then
    raise exception using
      errcode = 'RR016',
      message = format('This database has one feed, and no server "%s".', require_one_feed.shard),
      detail = jsonb_build_object('shard', require_one_feed.shard),
      hint = 'Leave shard out. It is for a router in front of several servers.';
  end if;
end;
$$;

comment on function pgreprise.require_one_feed(text) is 'Refuses the name of a server, where there is one feed.';
