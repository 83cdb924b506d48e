-- raise_no_claim(claim_id, row_kind, row_id): refuses because there is no claim with this id, or none of this report or
-- simulation where one is given.
-- Raises RR028, always.
create or replace function pgreprise.raise_no_claim(
  claim_id uuid, row_kind text default null, row_id bigint default null
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  -- It may have left while the caller waited.
  if exists (
    select from pgreprise.logical_shard as known
     where known.logical_shard = pgreprise.claim_shard(raise_no_claim.claim_id) and known.state = 'left'
  ) then
    perform pgreprise.raise_shard_elsewhere(pgreprise.claim_shard(raise_no_claim.claim_id));
  end if;
  raise exception using
    errcode = 'RR028',
    message = format('There is no claim %s%s.', coalesce(raise_no_claim.claim_id::text, 'null'),
      coalesce(' of ' || raise_no_claim.row_kind || ' #' || raise_no_claim.row_id::text, '')),
    detail = jsonb_build_object('claim_id', raise_no_claim.claim_id)
      || jsonb_strip_nulls(jsonb_build_object(coalesce(raise_no_claim.row_kind, 'row') || '_id',
        raise_no_claim.row_id)),
    hint = 'Nothing was changed. claim_report() gives the id of a claim, and lists its report and simulations.';
end;
$$;

comment on function pgreprise.raise_no_claim(uuid, text, bigint) is 'Raises RR028.';
