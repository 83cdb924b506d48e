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
  -- What a server refuses, it refuses in its own words.
  if jsonb_typeof(batch_filter_of.filter) is distinct from 'object' or not batch_filter_of.filter ? 'ids'
    or batch_filter_of.filter -> 'ids' = '[]'
  then
    return batch_filter_of.filter;
  end if;
  ids := (
    select jsonb_agg(listed.id order by listed.place)
      from jsonb_array_elements(case jsonb_typeof(batch_filter_of.filter -> 'ids')
          when 'array' then batch_filter_of.filter -> 'ids' else jsonb_build_array(batch_filter_of.filter -> 'ids') end)
        with ordinality as listed(id, place)
     where case
         when jsonb_typeof(listed.id) = 'number' and listed.id #>> '{}' ~ '^[1-9][0-9]{0,17}$'
           then pgreprise.shard_of('report', (listed.id #>> '{}')::bigint)
         else 0
       end = any (batch_filter_of.logical_shards)
  );
  return case when ids is not null then jsonb_set(batch_filter_of.filter, '{ids}', ids) end;
end;
$$;

comment on function pgreprise.batch_filter_of(jsonb, integer[]) is
'The part of a filter of a batch that is for one server.';
