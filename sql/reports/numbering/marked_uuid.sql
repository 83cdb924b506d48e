-- marked_uuid(id, logical_shard): the uuid with the logical shard as its last six bits.
create or replace function pgreprise.marked_uuid(id uuid, logical_shard integer)
returns uuid
language sql
immutable
begin atomic
  select encode(
    set_byte(
      uuid_send(marked_uuid.id), 15, (get_byte(uuid_send(marked_uuid.id), 15) & 192) | marked_uuid.logical_shard
    ), 'hex'
  )::uuid as marked;
end;

comment on function pgreprise.marked_uuid(uuid, integer) is 'The uuid with the logical shard as its last six bits.';
