-- take_back_shard(logical_shard): puts the rows of a logical shard that has left, but has arrived nowhere, back into
-- the tables. Whoever calls it has made sure that no other server holds it.
-- Raises 55000 when the logical shard has not left.
create or replace function pgreprise.take_back_shard(logical_shard integer)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  -- Counted while they are kept.
  batches constant jsonb := pgreprise.shard_batches(take_back_shard.logical_shard);
  sums    constant text[] := array(
    select summed::text from pgreprise.shard_fingerprint(take_back_shard.logical_shard, kept => true) as summed
     order by summed.table_name
  );
  listed  record;
  kept    text;
  named   text;
begin
  update pgreprise.logical_shard as known
     set state = 'held', changed_at = now(), went_to = null
   where known.logical_shard = take_back_shard.logical_shard and known.state = 'left';
  if not found then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('Logical shard %s has not left this server.', take_back_shard.logical_shard),
      detail = jsonb_build_object('logical_shard', take_back_shard.logical_shard),
      hint = 'pgreprise shard map shows where it is.';
  end if;

  perform set_config('pgreprise.leaving_shard', take_back_shard.logical_shard::text, true);
  for listed in
    select stored.table_name, stored.columns from pgreprise.shard_tables() as stored order by stored.place
  loop
    kept := pgreprise.kept_table(listed.table_name, take_back_shard.logical_shard);
    named := (select string_agg(quote_ident(given.name), ', ') from unnest(listed.columns) as given(name));
    execute format('insert into %s (%s) select %s from %s', listed.table_name, named, named, kept);
  end loop;
  if sums <> array(
    select summed::text from pgreprise.shard_fingerprint(take_back_shard.logical_shard) as summed
     order by summed.table_name
  ) then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = 'The rows are not those that were kept.',
      detail = jsonb_build_object('logical_shard', take_back_shard.logical_shard),
      hint = 'Nothing was changed. A trigger of the application changes or drops rows: disable it meanwhile.';
  end if;
  for listed in
    select stored.table_name from pgreprise.shard_tables() as stored
  loop
    execute format('drop table %s', pgreprise.kept_table(listed.table_name, take_back_shard.logical_shard));
  end loop;

  perform pgreprise.add_batches(batches);
  delete from pgreprise.left_act as former
   using pgreprise.rerun as act
   where act.feed_position = former.feed_position;
end;
$$;

comment on function pgreprise.take_back_shard(integer) is
'Puts the rows of a logical shard that has left, but has arrived nowhere, back into the tables.';
