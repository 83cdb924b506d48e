-- refuse_moved_row(): the trigger pgreprise_refuse_moved, which a table has while rows of it are being moved to another
-- server, and until the copy that stays is forgotten. Its arguments are the logical shards, as an array, the kind of id
-- and the column. They are arguments, and not looked up, since a transaction with an old snapshot would not see them.
-- Runs as the owner of the routines, because the application writes these tables too.
-- Raises RR034 when the row, or what it was, belongs to one of these logical shards.
create or replace function pgreprise.refuse_moved_row()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  touched record;
  row_kind text := nullif(tg_argv[1], '');
  row_id bigint;
  shard integer;
begin
  if tg_op = 'INSERT' then
    touched := new;
  else
    touched := old;
  end if;
  if row_kind is null then
    row_kind := touched.row_kind;
  end if;
  case tg_argv[2]
    when 'id' then row_id := touched.id;
    when 'report_id' then row_id := touched.report_id;
    when 'simulation_id' then row_id := touched.simulation_id;
    when 'reform_impact_id' then row_id := touched.reform_impact_id;
    when 'rerun_id' then row_id := touched.rerun_id;
    when 'row_id' then row_id := touched.row_id;
    else row_id := touched.report_output_id;
  end case;
  shard := pgreprise.id_shard(row_kind, row_id);
  -- The move itself takes them away, as a role that may do everything here.
  if shard = any (tg_argv[0]::integer[])
    and not (shard::text is not distinct from current_setting('pgreprise.leaving_shard', true)
      and pg_has_role(session_user, 'pgreprise_owner', 'member'))
  then
    perform pgreprise.raise_shard_elsewhere(shard);
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  return new;
end;
$$;

comment on function pgreprise.refuse_moved_row() is 'Refuses a write of a row that is being moved to another server.';
