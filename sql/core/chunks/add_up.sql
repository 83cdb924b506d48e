-- add_up(total, chunk): the counts of a chunk added to those of the same names in total; what else a chunk tells
-- is left out, and so is what is no count.
create or replace function pgreprise.add_up(total jsonb, chunk jsonb)
returns jsonb
language sql
immutable
begin atomic
  select add_up.total || coalesce(
    (
      select jsonb_object_agg(counted.key, (counted.value)::numeric + (add_up.total -> counted.key)::numeric) as sums
        from jsonb_each(case jsonb_typeof(add_up.chunk) when 'object' then add_up.chunk else '{}' end)
          as counted (key, value)
       where jsonb_typeof(counted.value) = 'number' and jsonb_typeof(add_up.total -> counted.key) = 'number'
    ),
    '{}'
  ) as sums;
end;

comment on function pgreprise.add_up(jsonb, jsonb) is 'The counts of a chunk added to a total.';

grant execute on function pgreprise.add_up(jsonb, jsonb) to pgreprise_dba;
