-- rerun_batches(batch_id, before, max_rows, is_open): the batches, newest first, or one of them: its filter and reason,
-- how many reports it lists, how many of them were rerun, were refused and remain, how many of its reruns were undone
-- since, its state (see batch_state), who created it, when and from where, when it was finished or cancelled, and by
-- whom.
-- stands_still: reports remain, and none of them was done for an hour; nobody runs it any more, or it waits for locks.
-- At most max_rows are listed, before the id of the last page; with is_open only those of which reports remain to be
-- done. Changes nothing.
-- Raises RR017 when the caller's token may not read, RR018 when the batch does not exist.
create or replace function public.rerun_batches(
  batch_id bigint default null, before bigint default null, max_rows bigint default null, is_open boolean default false
)
returns table (
  id bigint,
  filter jsonb,
  reason text,
  state text,
  reports bigint,
  rerun bigint,
  refused bigint,
  remaining bigint,
  undone bigint,
  stands_still boolean,
  created_at timestamptz,
  progressed_at timestamptz,
  finished_at timestamptz,
  cancelled_at timestamptz,
  cancelled_by text,
  cancel_reason text,
  session_role text,
  role_setting text,
  actor text,
  request_id text,
  client_address text
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read');
  return query
    select batch.batch_id, batch.filter, batch.reason, pgreprise.batch_state(batch.reports, batch.rerun, batch.refused,
          batch.finished_at,
          batch.cancelled_at, counted.undone), batch.reports,
        batch.rerun, batch.refused, batch.reports - batch.rerun - batch.refused, counted.undone,
        pgreprise.batch_state(batch.reports, batch.rerun, batch.refused, batch.finished_at,
          batch.cancelled_at, counted.undone) = 'open'
          and coalesce(batch.progressed_at, batch.created_at) < now() - interval '1 hour',
        batch.created_at, batch.progressed_at, batch.finished_at, batch.cancelled_at, batch.cancelled_by,
        batch.cancel_reason, batch.session_role, batch.role_setting, batch.actor, batch.request_id,
        batch.client_address
      from pgreprise.rerun_batch as batch
     cross join lateral (
       select count(*) as undone
         from pgreprise.rerun as act
        where act.batch_id = batch.batch_id and act.undone_by is not null
     ) as counted
     where (rerun_batches.batch_id is null or batch.batch_id = rerun_batches.batch_id)
       and (rerun_batches.before is null or batch.batch_id < rerun_batches.before)
       and (not rerun_batches.is_open or (batch.finished_at is null and batch.cancelled_at is null))
     order by batch.batch_id desc
     limit rerun_batches.max_rows;

  if not found and rerun_batches.batch_id is not null then
    perform pgreprise.raise_not_found('batch', rerun_batches.batch_id);
  end if;
end;
$$;

comment on function public.rerun_batches(bigint, bigint, bigint, boolean) is
'The batches of reruns, newest first: their state, how many reports of each are done, who and why.';

grant execute on function public.rerun_batches(bigint, bigint, bigint, boolean)
to pgreprise_reader, pgreprise_api, pgreprise_dba;
