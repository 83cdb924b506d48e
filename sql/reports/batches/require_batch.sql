-- require_batch(batch_id): refuses a batch that does not exist.
-- Raises RR018 (raise_not_found).
create or replace function pgreprise.require_batch(batch_id bigint)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  perform from pgreprise.rerun_batch as batch where batch.batch_id = require_batch.batch_id;
  if not found then
    perform pgreprise.raise_not_found('batch', require_batch.batch_id);
  end if;
end;
$$;

comment on function pgreprise.require_batch(bigint) is 'Refuses a batch that does not exist (RR018).';
