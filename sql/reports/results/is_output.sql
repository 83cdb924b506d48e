-- is_output(value): whether a stored value is an output: there is one, and it is not the null of JSON. What takes more
-- than 2 KB as it is stored is no null, however many blanks are around it, and is not read from disk for that.
-- Stable as pg_column_size() is, so that PostgreSQL puts it into the expression that asks.
create or replace function pgreprise.is_output(value json)
returns boolean
language sql
stable
begin atomic
  select
    is_output.value is not null
    and (pg_column_size(is_output.value) > 2048 or json_typeof(is_output.value) <> 'null');
end;

comment on function pgreprise.is_output(json) is 'Whether a stored value is an output, and not the null of JSON.';
