-- pointer_order(path): what places in a JSON document are ordered by, for a path that is a JSON pointer (RFC 6901): a
-- place comes before what is inside it, and the elements of an array by their numbers, so that 2 comes before 10. To
-- be compared with the collation "C"; the path itself decides between keys such as 2 and 0000000002.
create or replace function pgreprise.pointer_order(path text)
returns text[]
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return array(
    select case when step.key ~ '^(0|[1-9][0-9]{0,9})$' then lpad(step.key, 10, '0') else step.key end
      from unnest(string_to_array(pointer_order.path, '/')) with ordinality as step(key, position)
     order by step.position
  );
end;
$$;

comment on function pgreprise.pointer_order(text) is 'What places in a JSON document are ordered by.';
