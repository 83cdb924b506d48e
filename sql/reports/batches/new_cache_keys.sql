-- new_cache_keys(reports, batch_id): the economy cache keys of the reports that can be rerun, each key once, with the
-- first report that has it and the current version. For a batch only the keys of which it has not yet deleted the
-- rows; it records them as deleted.
create or replace function pgreprise.new_cache_keys(reports pgreprise.linked_report[], batch_id bigint)
returns table (report_id bigint, cache_key pgreprise.cache_key, economy_impact_version text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    with wanted as (
      select distinct on (report.cache_key) report.report_id, report.cache_key, report.economy_impact_version
        from unnest(new_cache_keys.reports) as report
       where report.errcode is null and report.report_type = 'geography'
       order by report.cache_key, report.report_id
    ),

    recorded as (
      insert into pgreprise.rerun_batch_cache_key as done
        (batch_id, country_id, baseline_policy_id, reform_policy_id, region, dataset, time_period, api_version)
      select new_cache_keys.batch_id, (wanted.cache_key).*, wanted.economy_impact_version
        from wanted
       where new_cache_keys.batch_id is not null
       order by wanted.cache_key
      on conflict on constraint rerun_batch_cache_key_pkey do nothing
      returning row(done.country_id, done.baseline_policy_id, done.reform_policy_id, done.region, done.dataset,
          done.time_period)::pgreprise.cache_key as cache_key
    )

    select wanted.report_id, wanted.cache_key, wanted.economy_impact_version
      from wanted
     where new_cache_keys.batch_id is null
        or wanted.cache_key in (select recorded.cache_key from recorded);
end;
$$;

comment on function pgreprise.new_cache_keys(pgreprise.linked_report[], bigint) is
'The economy cache keys of reports, for a batch without those whose rows it has deleted.';
