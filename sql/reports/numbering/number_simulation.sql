-- number_simulation(): the trigger pgreprise_number of simulations on a shard: gives a new row, which has no id yet,
-- the next one of its population's logical shard. A row that a move brings has one already. Runs as the owner of the
-- routines, because the application inserts rows too.
-- Raises RR034 when the logical shard is not held here.
create or replace function pgreprise.number_simulation()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if new.id is not null then
    return new;
  end if;
  new.id := pgreprise.next_shard_id(pgreprise.population_shard(new.country_id, new.population_id));
  return new;
end;
$$;

comment on function pgreprise.number_simulation() is 'Gives a new simulation the next id of its logical shard.';
