-- archive_size(older_than, keep_last): what the archive contains and what a purge with these values would delete: the
-- number of reruns that still have their outputs, the size of the archive's tables on disk in bytes, the number of
-- reruns whose outputs a purge would delete, and the stored size of these outputs in bytes. Changes nothing.
-- Raises RR016 for impossible values, RR017 when the caller's token may not read.
create or replace function public.archive_size(older_than interval default '30 days', keep_last integer default 1)
returns table (archived_reruns bigint, archive_bytes bigint, purgeable_reruns bigint, purgeable_bytes bigint)
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
    select
      (select count(*) from pgreprise.rerun as act where act.is_archived and act.purged_at is null),
      pg_total_relation_size('pgreprise.report_run') + pg_total_relation_size('pgreprise.simulation_run')
        + pg_total_relation_size('pgreprise.reform_impact_archive'),
      cardinality(own.rerun_ids)::bigint,
      (
        select coalesce(sum(archived.bytes), 0)::bigint
          from pgreprise.archived_outputs(own.rerun_ids) as archived
      );
end;
$$;

comment on function public.archive_size(interval, integer) is
'The size of the archive of earlier runs, and of what a purge would delete.';

grant execute on function public.archive_size(interval, integer) to pgreprise_reader, pgreprise_dba;
