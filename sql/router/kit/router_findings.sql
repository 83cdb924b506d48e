-- router_findings(): what is wrong with a router and its servers, each with the remedy: servers that are away, that
-- differ in what has to be the same, or that do not hold what the router sends them; moves that nobody finished,
-- copies that nobody needs any more, and entry points that are older than those of the servers. It asks each server
-- once.
create or replace function pgreprise.router_findings()
returns table (subject text, is_problem boolean, message text, remedy text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    with server as materialized (
      select known.name, known.logical_shards, known.facts, known.problem
        from pgreprise.server_facts() as known
    ),

    -- The others are compared with the first one that answers.
    model as (
      select answering.name, answering.facts
        from server as answering
       where answering.facts is not null
       order by answering.name
       limit 1
    ),

    differing as (
      select other.name, model.name as model_name, topic.key, topic.subject, topic.words, topic.remedy,
          (
            select string_agg(coalesce(mine.key, theirs.key), ', ' order by coalesce(mine.key, theirs.key))
              from jsonb_each(case jsonb_typeof(other.facts -> topic.key)
                when 'object' then other.facts -> topic.key else '{}' end) as mine
              full join jsonb_each(case jsonb_typeof(model.facts -> topic.key)
                when 'object' then model.facts -> topic.key else '{}' end) as theirs on theirs.key = mine.key
             where mine.value is distinct from theirs.value
          ) as names
        from server as other
       cross join model
       cross join (values
         ('revisions', 'migrations', 'other revisions', 'pgreprise shard migrate'),
         ('routines', 'routines', 'other routines', 'pgreprise shard migrate'),
         ('settings', 'settings', 'other settings',
           'Set them over the router: pgreprise setting set NAME VALUE'),
         ('countries', 'cache versions', 'other versions of countries',
           'Set them over the router: pgreprise cache-version set COUNTRY'),
         ('numbering', 'ids', 'other ids, or another version of the hash',
           'Take it out of the router, and ask how it was prepared. Its rows are not where the router looks.')
       ) as topic(key, subject, words, remedy)
       where other.facts -> topic.key is distinct from model.facts -> topic.key
         and other.facts is not null
    )

    select 'servers', true, format('Server %s does not answer: %s', away.name, away.problem),
        'Start it, or let the router reach it: its pg_hba.conf, the login of the router, the network.'
      from server as away
     where away.facts is null
    union all
    select differing.subject, true,
        format('Server %s has %s than %s%s.', differing.name, differing.words, differing.model_name,
          ': ' || differing.names),
        differing.remedy
      from differing
    union all
    select 'logical shards', true,
        format('The router sends logical shard %s to %s, which does not hold it.', sent.logical_shard, holder.name),
        'pgreprise shard map shows who has it. pgreprise shard move, to that server, tells the router.'
      from server as holder
     cross join lateral unnest(holder.logical_shards) as sent(logical_shard)
     where holder.facts is not null and not holder.facts -> 'held' @> to_jsonb(sent.logical_shard)
    union all
    select 'logical shards', true,
        format('Server %s holds logical shard %s, which the router sends to %s.', holder.name, held.logical_shard,
          coalesce(wanted.name, 'no server')),
        'pgreprise shard map shows whether it is on two servers. Where it is on one, pgreprise shard move, to that '
          'server, tells the router.'
      from server as holder
     cross join lateral jsonb_array_elements_text(holder.facts -> 'held') as held(logical_shard)
      left join server as wanted on held.logical_shard::integer = any (wanted.logical_shards)
     where wanted.name is distinct from holder.name
    union all
    select 'moves', true,
        format('Logical shard %s is leaving server %s since %s hours, and refuses writes.', begun ->> 'logical_shard',
          leaving.name, begun ->> 'hours'),
        'Give the command that moved it again, or give it up: pgreprise shard move with the name of this server.'
      from server as leaving
     cross join lateral jsonb_array_elements(leaving.facts -> 'unfinished') as begun
     where begun ->> 'state' = 'leaving' and (begun ->> 'hours')::numeric >= 1
    union all
    select 'moves', false,
        format('Server %s keeps copies of %s logical shards that left it a week ago or earlier.', keeping.name,
          count(*)),
        format('pgreprise shard forget %s', string_agg(begun ->> 'logical_shard', ','
          order by (begun ->> 'logical_shard')::integer))
      from server as keeping
     cross join lateral jsonb_array_elements(keeping.facts -> 'unfinished') as begun
     where begun ->> 'state' = 'left' and (begun ->> 'hours')::numeric >= 168
     group by keeping.name
    union all
    select 'routines', true,
        format('The router is older than its servers: %s.', string_agg(stale.name, ', ' order by stale.name)),
        'pgreprise shard router > router.sql, then psql --file router.sql as a superuser.'
      from (
        select routed.name
          from pgreprise.routed as routed
         cross join model
         cross join lateral jsonb_each(model.facts -> 'routines') as installed
         where split_part(installed.key, '/', 2) = routed.name
           and (installed.value ->> 'version', installed.value ->> 'checksum')
             <> (routed.version::text, routed.checksum)
      ) as stale
    having count(*) > 0
     order by 1, 3;
end;
$$;

comment on function pgreprise.router_findings() is 'What is wrong with a router and its servers, each with the remedy.';

grant execute on function pgreprise.router_findings() to pgreprise_dba;
