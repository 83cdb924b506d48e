-- add_up(total, chunk): the counts of a chunk added to those of the same names in total; what else a chunk tells
-- is left out.
create or replace function pgreprise.add_up(total jsonb, chunk jsonb)
returns jsonb
language sql
immutable
begin atomic
  select add_up.total || coalesce(
    (
      select jsonb_object_agg(counted.key, (counted.value)::bigint + (add_up.total -> counted.key)::bigint) as sums
        from jsonb_each(add_up.chunk) as counted (key, value)
       where add_up.total ? counted.key
    ),
    '{}'
  ) as sums;
end;

comment on function pgreprise.add_up(jsonb, jsonb) is 'The counts of a chunk added to a total.';

grant execute on function pgreprise.add_up(jsonb, jsonb) to pgreprise_dba;
