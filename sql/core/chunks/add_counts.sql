-- add_counts(total, chunk): adds the counts of a chunk to the counts of the same names in total, and returns total.
-- Names that only the chunk has are left out, and so are values that are not numbers.
create or replace function pgreprise.add_counts(total jsonb, chunk jsonb)
returns jsonb
language sql
immutable
begin atomic
  select add_counts.total || coalesce(
    (
      select jsonb_object_agg(
          counted.key, (counted.value)::numeric + (add_counts.total -> counted.key)::numeric
        ) as sums
        from jsonb_each(case jsonb_typeof(add_counts.chunk) when 'object' then add_counts.chunk else '{}' end)
          as counted (key, value)
       where jsonb_typeof(counted.value) = 'number' and jsonb_typeof(add_counts.total -> counted.key) = 'number'
    ),
    '{}'
  ) as sums;
end;

comment on function pgreprise.add_counts(jsonb, jsonb) is 'Adds the counts of a chunk to a total.';

grant execute on function pgreprise.add_counts(jsonb, jsonb) to pgreprise_dba;
