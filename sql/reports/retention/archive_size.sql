-- archive_size(older_than, keep_last): what the archive contains and what a purge with these values would delete: the
-- number of reruns that still have their outputs, since when, the stored size of these outputs and the size of the
-- archive's tables on disk, both in bytes; the number of reruns whose outputs a purge would delete, how many outputs
-- these are, their stored size in bytes, and from when to when they are. Changes nothing.
-- Raises RR016 for impossible values, RR017 when the caller's token may not read.
create or replace function public.archive_size(older_than interval default '30 days', keep_last integer default 1)
returns table (
  archived_reruns bigint,
  archived_since timestamptz,
  archived_bytes bigint,
  archive_bytes bigint,
  purgeable_reruns bigint,
  purgeable_outputs bigint,
  purgeable_bytes bigint,
  purgeable_from timestamptz,
  purgeable_to timestamptz
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  rerun_ids bigint[];
begin
  perform pgreprise.enter('reports:read');
  perform pgreprise.check_purge(archive_size.older_than, archive_size.keep_last);

  rerun_ids := array(select pgreprise.purgeable_reruns(archive_size.older_than, archive_size.keep_last));

  return query
    select held.reruns, held.since,
        (
          select coalesce(sum(pg_column_size(run.output)), 0)
            from pgreprise.report_run as run
           where run.output is not null
        )::bigint
        + (
          select coalesce(sum(pg_column_size(run.output)), 0)
            from pgreprise.simulation_run as run
           where run.output is not null
        )::bigint
        + (
          select coalesce(sum(pg_column_size(impact.reform_impact_json)), 0)
            from pgreprise.reform_impact_archive as impact
        )::bigint,
        pgreprise.archive_bytes(),
        cardinality(own.rerun_ids)::bigint, purgeable.outputs, purgeable.bytes, acts.oldest, acts.newest
      from (
        select count(*) as reruns, min(act.created_at) as since
          from pgreprise.rerun as act
         where act.is_archived and act.purged_at is null
      ) as held
     cross join (
       select count(*) as outputs, coalesce(sum(archived.bytes), 0)::bigint as bytes
         from pgreprise.archived_outputs(own.rerun_ids) as archived
     ) as purgeable
     cross join (
       select min(act.created_at) as oldest, max(act.created_at) as newest
         from pgreprise.rerun as act
        where act.rerun_id = any (own.rerun_ids)
     ) as acts;
end;
$$;

comment on function public.archive_size(interval, integer) is
'The size of the archive of earlier runs, and of what a purge would delete.';

grant execute on function public.archive_size(interval, integer) to pgreprise_reader, pgreprise_api, pgreprise_dba;
