-- number_report(): the trigger pgreprise_assign_id of report_outputs on a shard: gives a new row, which has no id yet,
-- the next one of the logical shard of its first simulation. A row that a move brings has one already.
-- Runs as the owner of the routines, because the application inserts rows too.
-- Raises RR033 when its simulations lie in different logical shards, RR034 when the logical shard is not held here.
create or replace function pgreprise.number_report()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  defect record;
begin
  if new.id is not null then
    return new;
  end if;
  if pgreprise.lie_apart(new.simulation_1_id, new.simulation_2_id) then
    select found_defect.errcode, found_defect.message, found_defect.detail, found_defect.hint
      into defect
      from pgreprise.report_defect(null, new.country_id, new.year, new.simulation_1_id, null, new.simulation_2_id, null,
        null) as found_defect;
    raise exception using
      errcode = defect.errcode, message = defect.message, detail = defect.detail, hint = defect.hint;
  end if;
  new.id := pgreprise.next_shard_id(pgreprise.id_shard('simulation', new.simulation_1_id));
  return new;
end;
$$;

comment on function pgreprise.number_report() is 'Gives a new report the next id of its logical shard.';
