-- entry_fte(data): the FTE of an entry: the number that it has under that name, null without one. A number of more than
-- 15 digits before the point, or beyond 1e99, is none. All sums of FTE ask this.
-- Written in SQL so that PostgreSQL inlines it: a sum asks it for each entry of a report.
create or replace function pgreprise.entry_fte(data json)
returns double precision
language sql
immutable
begin atomic
  select case
    -- Only as_jsonb can read what has certain escapes.
    when position('\u' in entry_fte.data::text) > 0
      then pgreprise.json_number(pgreprise.as_jsonb(entry_fte.data) -> 'fte')
    when json_typeof(entry_fte.data -> 'fte') = 'number'
      and entry_fte.data ->> 'fte' ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$'
      then (entry_fte.data ->> 'fte')::double precision
  end;
end;

comment on function pgreprise.entry_fte(json) is 'The FTE of an entry.';
