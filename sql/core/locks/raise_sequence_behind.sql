-- raise_sequence_behind(errcode, constraint_name): the error of an insert that met a row with its id, because the
-- sequence that gives the ids is behind, as after a restore of rows without their sequences. The primary key is the
-- constraint that the 23505 of the insert names. Returns where it has another reason; the caller then raises that one
-- again.
-- Raises the errcode.
create or replace function pgreprise.raise_sequence_behind(errcode text, constraint_name text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  behind record;
begin
  select behind_now.* into behind
    from pgreprise.sequences_behind(has_given => 1) as behind_now
   where behind_now.constraint_name = raise_sequence_behind.constraint_name;
  if found then
    raise exception using
      errcode = raise_sequence_behind.errcode,
      message = format('The next id of table %s is taken: its sequence is behind, as after a restore. '
        'Nothing was changed.', behind.table_name),
      detail = jsonb_build_object('table', behind.table_name, 'next_id', behind.next_id,
        'greatest_id', behind.greatest_id),
      hint = format('The owner of the table types: %s', behind.remedy);
  end if;
end;
$$;

comment on function pgreprise.raise_sequence_behind(text, text) is
'The error of an insert whose id was taken because the sequence is behind.';
