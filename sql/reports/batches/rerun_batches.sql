-- rerun_batches(batch_id): the batches, newest first, or one of them: its filter, how many reports it lists, how many
-- of them were rerun, were refused and remain, who created it and when, and when it was finished. Changes nothing.
-- Raises RR017 when the caller's token may not read, RR018 when the batch does not exist.
create or replace function public.rerun_batches(batch_id bigint default null)
returns table (
  id bigint,
  filter jsonb,
  reports bigint,
  rerun bigint,
  refused bigint,
  remaining bigint,
  created_at timestamptz,
  finished_at timestamptz,
  session_role text,
  role_setting text,
  actor text
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:read');
  return query
    select batch.batch_id, batch.filter, batch.reports, batch.rerun, batch.refused,
        batch.reports - batch.rerun - batch.refused, batch.created_at, batch.finished_at, batch.session_role,
        batch.role_setting, batch.actor
      from pgreprise.rerun_batch as batch
     where rerun_batches.batch_id is null or batch.batch_id = rerun_batches.batch_id
     order by batch.batch_id desc;

  if not found and rerun_batches.batch_id is not null then
    perform pgreprise.raise_not_found('batch', rerun_batches.batch_id);
  end if;
end;
$$;

comment on function public.rerun_batches(bigint) is
'The batches of reruns, newest first, and how many reports of each are done.';

grant execute on function public.rerun_batches(bigint) to pgreprise_reader, pgreprise_dba;
