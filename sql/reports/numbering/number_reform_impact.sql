-- number_reform_impact(): the trigger pgreprise_assign_id of reform_impact on a shard: gives a new row, which has no id
-- yet, the next one of its region's logical shard. A row that an undo puts back has one already.
-- Runs as the owner of the routines, because the application inserts rows.
-- Raises RR034 when the logical shard is not held here.
create or replace function pgreprise.number_reform_impact()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if new.reform_impact_id is not null then
    return new;
  end if;
  new.reform_impact_id := pgreprise.next_shard_id(pgreprise.population_shard(new.country_id, new.region));
  return new;
end;
$$;

comment on function pgreprise.number_reform_impact() is 'Gives a new cache row the next id of its logical shard.';
