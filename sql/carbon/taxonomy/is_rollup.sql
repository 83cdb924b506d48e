-- is_rollup(emission_type_id): whether emissions of this type are sums of other emissions of the same entry, which
-- every sum must leave out. The carbon calculator writes such a row for people (headcount) and for rooms, where an
-- entry has more than one emission, and goes by the type alone. All sums ask this routine.
create or replace function pgreprise.is_rollup(emission_type_id bigint)
returns boolean
language sql
immutable
begin atomic
  select is_rollup.emission_type_id in (40000, 60100);
end;

comment on function pgreprise.is_rollup(bigint) is
'Whether emissions of this type are sums of other emissions of the same entry.';
