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
begin
  perform pgreprise.enter('reports:read');
  perform pgreprise.check_purge(archive_size.older_than, archive_size.keep_last);

  return query
    with freed as (
      select act.*
        from pgreprise.rerun as act
       where act.rerun_id in (select pgreprise.purgeable_reruns(archive_size.older_than, archive_size.keep_last))
    )

    select
      (select count(*) from pgreprise.rerun as act where act.is_archived and act.purged_at is null),
      pg_total_relation_size('pgreprise.report_run') + pg_total_relation_size('pgreprise.simulation_run')
        + pg_total_relation_size('pgreprise.reform_impact_archive'),
      (select count(*) from freed),
      (
        select coalesce(sum(output.bytes), 0)::bigint
          from (
            select pg_column_size(run.output) as bytes
              from freed
              join pgreprise.report_run as run
                on run.report_id = freed.report_id and run.run_sequence = freed.run_sequence - 1
            union all
            select pg_column_size(run.output)
              from freed
             cross join lateral unnest(freed.simulation_ids, freed.simulation_run_sequences)
               as started(simulation_id, run_sequence)
              join pgreprise.simulation_run as run
                on run.simulation_id = started.simulation_id and run.run_sequence = started.run_sequence - 1
            union all
            select pg_column_size(archived.reform_impact_json)
              from freed
             cross join lateral unnest(freed.reform_impact_ids) as removed(reform_impact_id)
              join pgreprise.reform_impact_archive as archived
                on archived.removal_id = freed.removal_id and archived.reform_impact_id = removed.reform_impact_id
          ) as output
      );
end;
$$;

comment on function public.archive_size(interval, integer) is
'The size of the archive of earlier runs, and of what a purge would delete.';

grant execute on function public.archive_size(interval, integer) to pgreprise_reader, pgreprise_dba;
