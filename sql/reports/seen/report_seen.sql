-- report_seen(values of a report, its simulations and its cache): what the token of a preview holds, and what has to be
-- the same when the report is rerun with this token. This is the only place that says so: the run of the report, the
-- runs of its simulations, the versions that the rerun would write and delete, the key of its economy cache rows, and
-- the ids of those that it would delete. simulation_runs is an object of runs by id. A household report has no
-- cache_key.
-- Not in it: statuses and outputs. A worker that writes to the run that was seen moves nothing.
-- Returns {"report": {id: run}, "simulation": {id: run}, "version": {name: version}, "cache_key": {"digest": ...},
-- "reform_impact": {id: 1}}.
create or replace function pgreprise.report_seen(
  report_id bigint,
  run_sequence integer,
  simulation_runs jsonb,
  report_version text,
  package_version text,
  economy_impact_version text,
  cache_key pgreprise.cache_key,
  reform_impact_ids bigint[]
)
returns jsonb
language sql
stable
begin atomic
  select jsonb_build_object(
    'report', jsonb_build_object(report_seen.report_id, report_seen.run_sequence),
    'simulation', coalesce(report_seen.simulation_runs, '{}'),
    'version', jsonb_strip_nulls(jsonb_build_object(
      'report_output', report_seen.report_version,
      'package', report_seen.package_version,
      'economy_impact', case when report_seen.cache_key is null then null else report_seen.economy_impact_version end
    )),
    'cache_key', case when report_seen.cache_key is null then '{}'
      else jsonb_build_object('digest', pgreprise.short_digest(report_seen.cache_key::text)) end,
    'reform_impact', coalesce(
      (select jsonb_object_agg(deleted.id, 1) from unnest(report_seen.reform_impact_ids) as deleted (id)), '{}'
    )
  ) as seen;
end;

comment on function pgreprise.report_seen(bigint, integer, jsonb, text, text, text, pgreprise.cache_key, bigint[]) is
'What the token of a preview of a report holds.';
