-- begin_arriving(logical_shard, move_number, last_number): the first statement of the transaction in which the rows
-- of a logical shard arrive on this server: it is held here when that commits. move_number counts its moves;
-- last_number is the last one that the server that it comes from has given to an id of it.
-- Raises 55000 when the logical shard is here already, or when a copy of it is kept here.
create or replace function pgreprise.begin_arriving(logical_shard integer, move_number bigint, last_number bigint)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  sequence_name constant text := 'pgreprise.shard_ids_' || to_char(begin_arriving.logical_shard, 'fm00');
begin
  update pgreprise.logical_shard as known
     set state = 'held', changed_at = now(), move_number = begin_arriving.move_number, went_to = null
   where known.logical_shard = begin_arriving.logical_shard and known.state = 'absent';
  if not found then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('Logical shard %s is on this server already, or a copy of it is kept here.',
        begin_arriving.logical_shard),
      detail = jsonb_build_object('logical_shard', begin_arriving.logical_shard),
      hint = 'pgreprise shard map shows where it is.';
  end if;
  if begin_arriving.last_number > coalesce(pg_sequence_last_value(sequence_name::regclass), 0) then
    perform setval(sequence_name::regclass, begin_arriving.last_number);
  end if;
end;
$$;

comment on function pgreprise.begin_arriving(integer, bigint, bigint) is
'Begins the transaction in which the rows of a logical shard arrive on this server.';
