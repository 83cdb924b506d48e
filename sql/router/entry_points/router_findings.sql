-- router_findings(): what is wrong between this router and its servers, for the doctor: a server that cannot be reached,
-- logical shards that are sent to a server which does not hold them, routines, settings, current versions or numbers
-- that differ between servers, and routines that the servers have and this router has not yet.
create or replace function pgreprise.router_findings()
returns table (message text, remedy text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  server record;
  facts  jsonb := jsonb_build_object();
begin
  for server in
    select known.name, known.logical_shard, known.logical_shards from pgreprise.servers() as known
     order by known.logical_shard
  loop
    begin
      facts := facts || jsonb_build_object(server.name, (
        select answer.answer
          -- No logical shard in the caller: also a server that does not hold it is to answer.
          from pgreprise_remote.shard_facts(own.server.logical_shard, pgreprise.caller()) as answer
         where pgreprise.is_answer(answer.refusal)
      ));
    exception
      when internal_error then
        message := format('Server %s cannot be reached. Nothing of it could be compared.', server.name);
        remedy := 'Start it, or look into the log of the router''s PostgreSQL for the reason.';
        return next;
    end;
  end loop;

  return query
    with known as (
      select listed.name, listed.logical_shards, own.facts -> listed.name as told
        from pgreprise.servers() as listed
       where own.facts ? listed.name
    ),

    -- Each thing that has to be the same everywhere, with its value on each server.
    shared as (
      select known.name as server, kind.title, thing.key, thing.value
        from known
       cross join (
         values ('routines', 'Routine %s'), ('settings', 'Setting %s'), ('versions', 'The current versions of %s')
       ) as kind(part, title)
       cross join lateral jsonb_each(known.told -> kind.part) as thing(key, value)
      union all
      select known.name, '%s', thing.key, thing.value
        from known
       cross join lateral jsonb_each(known.told) as thing(key, value)
       where thing.key in ('hash_version', 'first_id')
    )

    select format('Logical shards %s are sent to server %s, which does not hold them.',
          string_agg(part.number::text, ', ' order by part.number), known.name),
        'pgreprise shard map'
      from known
     cross join lateral unnest(known.logical_shards) as part(number)
     where not known.told -> 'held' @> to_jsonb(part.number)
     group by known.name
    union all
    select format(shared.title, shared.key) || ' differs between the servers: '
          || string_agg(format('%s has %s', shared.server, left(shared.value::text, 100)), ', ' order by shared.server)
          || '.',
        case shared.title
          when 'Routine %s' then 'pgreprise shard migrate'
          when 'Setting %s' then format('select set_setting(%L, ''<value>'')', shared.key)
          when 'The current versions of %s' then format('pgreprise cache-version set %s', shared.key)
          else 'These servers do not belong together.'
        end
      from shared
     group by shared.title, shared.key
    having count(distinct shared.value) > 1 or count(*) < (select count(*) from known)
    union all
    select format('The router is older than its servers: %s.', string_agg(routed.name, ', ' order by routed.name)),
        'pgreprise shard router > router.sql, and run that with psql'
      from pgreprise.routed as routed
     where exists (
       select from known
        where routed.file is not null and known.told -> 'routines' ->> routed.file is distinct from routed.checksum
     )
    having count(*) > 0;
end;
$$;

comment on function pgreprise.router_findings() is 'What is wrong between this router and its servers.';

grant execute on function pgreprise.router_findings() to pgreprise_reader, pgreprise_api, pgreprise_dba;
