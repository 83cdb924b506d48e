-- carbon_shown_classes(): how many classes of entries a chart of the largest shows by themselves. The others are shown
-- together, as "rest".
create or replace function pgreprise.carbon_shown_classes()
returns bigint
language sql
immutable
begin atomic
  select 3::bigint;
end;

comment on function pgreprise.carbon_shown_classes() is 'How many classes of entries a chart shows by themselves.';
