-- batch_filter_of(filter, logical_shards): the part of a batch's filter that is for the server with these logical
-- shards: of a list of ids, those that lie there. Null where it has none of them.
create or replace function pgreprise.batch_filter_of(filter jsonb, logical_shards integer[])
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  ids jsonb;
begin
  if jsonb_typeof(batch_filter_of.filter -> 'ids') is distinct from 'array' then
    return batch_filter_of.filter;
  end if;
  ids := (
    select jsonb_agg(listed.id order by listed.place)
      from jsonb_array_elements(batch_filter_of.filter -> 'ids') with ordinality as listed(id, place)
     where case
         -- What is no id is refused by a server, in its own words.
         when jsonb_typeof(listed.id) <> 'number' or listed.id::numeric not between 0 and 9223372036854775807
           or listed.id::numeric % 1 <> 0
           then 0
         else pgreprise.shard_of('report', listed.id::bigint)
       end = any (batch_filter_of.logical_shards)
  );
  return case when ids is not null then jsonb_set(batch_filter_of.filter, '{ids}', ids) end;
end;
$$;

comment on function pgreprise.batch_filter_of(jsonb, integer[]) is
'The part of a filter of a batch that is for one server.';
