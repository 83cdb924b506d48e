-- batch_seen(filter, report_ids, linked, parts): what the token of a preview of a batch holds, and what has to be the
-- same when the batch is created with this token. This is the only place that says so: which reports the filter finds,
-- their runs and whether they can be rerun, the runs of their simulations, the ids of the cache rows that would be
-- deleted, and the versions of their countries. linked are the reports as linked_reports() returns them; report_ids has
-- the ids of the filter that do not exist, too.
-- A token is short however many reports there are, so it holds counts and digests. The reports are cut by id into ten
-- parts, so that a refusal can tell in which of them something has moved; parts are the ids at which they begin.
-- Returns {"batch": {"filter": digest}, "count": {"reports", "refused", "simulations", "reform_impacts"}, "digest":
-- {"simulations", "reform_impacts"}, "version": {name: version}, "part": {first id: count and digest}}.
create or replace function pgreprise.batch_seen(
  filter jsonb, report_ids bigint[], linked pgreprise.linked_report[], parts bigint[] default null
)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
-- One report or all of them: each has another best plan.
set plan_cache_mode = 'force_custom_plan'
as $$
<<own>>
declare
  number_of_parts constant integer := 10;
  first_ids       bigint[] := batch_seen.parts;
  of_reports      record;
  of_parts        jsonb;
  of_simulations  record;
  of_cache_rows   record;
  versions        jsonb;
begin
  if first_ids is null then
    first_ids := array(
      select min(cut.report_id)
        from (
          select listed.report_id, ntile(own.number_of_parts) over (order by listed.report_id) as part
            from unnest(batch_seen.report_ids) as listed(report_id)
        ) as cut
       group by cut.part
       order by cut.part
    );
  end if;

  select count(*) filter (where report.errcode is null) as rerun,
      array_agg(report) filter (where report.errcode is null) as accepted
    into of_reports
    from unnest(batch_seen.linked) as report;

  select jsonb_object_agg(part.first_id, part.reports || ' ' || pgreprise.short_digest(part.said)) into of_parts
    from (
      select coalesce(own.first_ids[greatest(width_bucket(listed.report_id, own.first_ids), 1)], 1) as first_id,
          count(*) as reports,
          string_agg(concat_ws(' ', listed.report_id, report.run_sequence, report.errcode,
            report.simulation_ids::text, case when report.report_output_version is null then report.api_version end),
            ',' order by listed.report_id) as said
        from unnest(batch_seen.report_ids) as listed(report_id)
        left join unnest(batch_seen.linked) as report on report.report_id = listed.report_id
       group by 1
    ) as part;

  select count(*) as simulations, pgreprise.short_digest(
        string_agg(simulation.id || ' ' || simulation.run_sequence, ',' order by simulation.id)
      ) as digest
    into of_simulations
    from public.simulations as simulation
   where simulation.id = any (array(
     select used.simulation_id
       from unnest(own.of_reports.accepted) as report
      cross join lateral unnest(report.simulation_ids) as used(simulation_id)
   ));

  select count(*) as cache_rows, pgreprise.short_digest(
        string_agg(cached.reform_impact_id::text, ',' order by cached.reform_impact_id)
      ) as digest
    into of_cache_rows
    from (
      select distinct found_row.reform_impact_id
        from (
          select distinct report.cache_key, report.economy_impact_version
            from unnest(own.of_reports.accepted) as report
           where report.report_type = 'geography'
        ) as wanted
       cross join lateral pgreprise.report_cache_rows(wanted.cache_key, wanted.economy_impact_version) as found_row
    ) as cached;

  select jsonb_object_agg(version.name, version.value) into versions
    from (
      select distinct report.country_id, report.economy_impact_version, report.report_output_version,
          report.package_version
        from unnest(batch_seen.linked) as report
    ) as country
   cross join lateral (
     values
       (country.country_id || ' economy_impact', country.economy_impact_version),
       (country.country_id || ' report_output', country.report_output_version),
       (country.country_id || ' package', country.package_version)
   ) as version(name, value)
   where version.value is not null;

  return jsonb_build_object(
    'batch', jsonb_build_object('filter', pgreprise.short_digest(batch_seen.filter::text)),
    'count', jsonb_build_object(
      'reports', cardinality(batch_seen.report_ids),
      'refused', cardinality(batch_seen.report_ids) - of_reports.rerun,
      'simulations', of_simulations.simulations,
      'reform_impacts', of_cache_rows.cache_rows
    ),
    'digest', jsonb_strip_nulls(
      jsonb_build_object('simulations', of_simulations.digest, 'reform_impacts', of_cache_rows.digest)
    ),
    'version', coalesce(versions, '{}'),
    'part', coalesce(of_parts, '{}')
  );
end;
$$;

comment on function pgreprise.batch_seen(jsonb, bigint[], pgreprise.linked_report[], bigint[]) is
'What the token of a preview of a batch holds.';
