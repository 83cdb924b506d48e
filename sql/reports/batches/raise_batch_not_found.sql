-- raise_batch_not_found(batch_id): what every routine says of a batch that is not there.
-- Raises RR018, always.
create or replace function pgreprise.raise_batch_not_found(batch_id bigint)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'RR018',
    message = format('Batch #%s not found.', coalesce(raise_batch_not_found.batch_id::text, 'null')),
    detail = jsonb_build_object('batch_id', raise_batch_not_found.batch_id),
    hint = 'select * from rerun_batches() lists the batches that exist.';
end;
$$;

comment on function pgreprise.raise_batch_not_found(bigint) is 'Raises RR018.';
