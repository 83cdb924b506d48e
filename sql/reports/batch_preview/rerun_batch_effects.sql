-- rerun_batch_effects(filter): what a batch with this filter would change now: how many reports would be rerun and how
-- many refused, how many simulations would be reset and economy cache rows deleted, and how many other reports share
-- these (rerun_batch_sharing lists them). Changes nothing and locks nothing.
-- Raises RR015 for a filter that cannot be used, RR017 when the caller's token may not read.
create or replace function public.rerun_batch_effects(filter jsonb)
returns table (reports bigint, refused bigint, simulations bigint, reform_impacts bigint, sharing_reports bigint)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  listed_ids bigint[];
  linked     pgreprise.linked_report[];
begin
  perform pgreprise.enter('reports:read');
  listed_ids := array(select pgreprise.batch_reports(rerun_batch_effects.filter));
  linked := array(
    select found_report from pgreprise.linked_reports(own.listed_ids, can_be_rerun => true) as found_report
  );

  return query
    select cardinality(own.linked)::bigint, (cardinality(own.listed_ids) - cardinality(own.linked))::bigint,
        (
          select count(distinct used.simulation_id)
            from unnest(own.linked) as report
           cross join lateral unnest(report.simulation_ids) as used(simulation_id)
        ),
        (
          select count(distinct cached.reform_impact_id)
            from (
              select distinct report.cache_key, report.economy_impact_version
                from unnest(own.linked) as report
               where report.report_type = 'geography'
            ) as wanted
           cross join lateral pgreprise.report_cache_rows(wanted.cache_key, wanted.economy_impact_version) as cached
        ),
        (select count(*) from pgreprise.sharing_reports(own.linked));
end;
$$;

comment on function public.rerun_batch_effects(jsonb) is
'How many reports, simulations and cache rows a batch with this filter would change now, and who else shares them.';

grant execute on function public.rerun_batch_effects(jsonb) to pgreprise_reader, pgreprise_dba;
