-- rerun_batch_sharing(filter, after_report_id, max_rows): the other reports that share a simulation or an economy cache
-- key with those that a batch with this filter would rerun now, by id; at most max_rows of them, after after_report_id.
-- Their simulations are computed anew too, and their cache rows are gone until then. Changes nothing.
-- Raises RR015 for a filter that cannot be used, RR017 when the caller's token may not read.
create or replace function public.rerun_batch_sharing(
  filter jsonb, after_report_id bigint default 0, max_rows bigint default null
)
returns table (
  report_id bigint, country_id text, status text, shares_simulation boolean, shares_cache_key boolean
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  listed_ids bigint[];
begin
  perform pgreprise.enter('reports:read');
  listed_ids := array(select pgreprise.batch_reports(rerun_batch_sharing.filter));

  return query
    select sharing.report_id, report.country_id::text, report.status::text, sharing.shares_simulation,
        sharing.shares_cache_key
      from pgreprise.sharing_reports(array(
        select found_report from pgreprise.linked_reports(own.listed_ids, can_be_rerun => true) as found_report
      )) as sharing
      join public.report_outputs as report on report.id = sharing.report_id
     where sharing.report_id > coalesce(rerun_batch_sharing.after_report_id, 0)
     order by sharing.report_id
     limit rerun_batch_sharing.max_rows;
end;
$$;

comment on function public.rerun_batch_sharing(jsonb, bigint, bigint) is
'The other reports that share a simulation or a cache key with those that a batch with this filter would rerun.';

grant execute on function public.rerun_batch_sharing(jsonb, bigint, bigint)
to pgreprise_reader, pgreprise_api, pgreprise_dba;
