-- entry_fte(data): the FTE of an entry: the number that it has under that name, null without one. All sums of FTE ask
-- this.
create or replace function pgreprise.entry_fte(data jsonb)
returns double precision
language sql
immutable
begin atomic
  select pgreprise.json_number(entry_fte.data -> 'fte');
end;

comment on function pgreprise.entry_fte(jsonb) is 'The FTE of an entry.';
