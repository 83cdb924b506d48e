-- shard_refusal(...): an error as a row of an answer. A router gets each error of a shard so: one that is raised would
-- end the router's connection, and would come with other words around it. of_host is there where a trigger or
-- constraint of the application says it.
create or replace function pgreprise.shard_refusal(
  code text, message text, detail text, hint text, schema_name text, table_name text, column_name text,
  type_name text, constraint_name text, context text
)
returns jsonb
language sql
stable
begin atomic
  select jsonb_strip_nulls(jsonb_build_object(
    'code', shard_refusal.code,
    'message', shard_refusal.message,
    'detail', nullif(shard_refusal.detail, ''),
    'hint', nullif(shard_refusal.hint, ''),
    'schema', nullif(shard_refusal.schema_name, ''),
    'table', nullif(shard_refusal.table_name, ''),
    'column', nullif(shard_refusal.column_name, ''),
    'datatype', nullif(shard_refusal.type_name, ''),
    'constraint', nullif(shard_refusal.constraint_name, ''),
    'of_host', nullif(
      pgreprise.is_refusal_of_host(
        shard_refusal.code, shard_refusal.context, shard_refusal.schema_name, shard_refusal.constraint_name,
        shard_refusal.table_name
      ), false
    ),
    'context', nullif(shard_refusal.context, '')
  )) as answer;
end;

comment on function pgreprise.shard_refusal(text, text, text, text, text, text, text, text, text, text) is
'An error as a row of an answer, for a router.';
