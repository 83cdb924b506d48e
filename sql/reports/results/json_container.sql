-- json_container(one, other): 'object' where two JSON values are objects, 'array' where both are arrays, else null:
-- what json_differences() looks into.
create or replace function pgreprise.json_container(one jsonb, other jsonb)
returns text
language sql
immutable
begin atomic
  select case
    when jsonb_typeof(json_container.one) = jsonb_typeof(json_container.other)
      and jsonb_typeof(json_container.one) in ('object', 'array')
      then jsonb_typeof(json_container.one)
  end as container;
end;

comment on function pgreprise.json_container(jsonb, jsonb) is 'Whether two JSON values are both objects or arrays.';
