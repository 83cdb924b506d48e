-- refuse_taken_id(constraint_name): the error of an insert into a carbon table that met a row with its id, because the
-- sequence of the table is behind (raise_sequence_behind). Returns where the constraint of the 23505 is another one;
-- the caller then raises that error again.
-- Raises RC019.
create or replace function pgreprise.refuse_taken_id(constraint_name text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.raise_sequence_behind('RC019', refuse_taken_id.constraint_name);
end;
$$;

comment on function pgreprise.refuse_taken_id(text) is
'The error of an insert whose id was taken because the sequence is behind (RC019).';
