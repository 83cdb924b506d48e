-- rerun_preview(report_id, country_id): what rerun_report() would do now, one row for each thing that it would change:
-- kind (report, simulation, reform_impact), id, status now, what would happen, the bytes of output that would be
-- archived, and shared_with: the other reports that use the same simulation or the same economy cache rows.
-- It also lists what is near and would be kept: other reports that have the key and version that the report would get,
-- and economy cache rows with the same policies, region and year that do not answer the report's request.
-- A report that cannot be rerun gives one row, with the reason in errcode, message and hint. Where rows of other tables
-- would be lost (RR021), a row of kind reference for each such table tells how many.
-- seen, in the row of the report itself, is a token of what the preview has seen: rerun_report(42, seen => ...) does
-- what is said here, or is refused.
-- Changes nothing and locks nothing.
-- Raises RR001 no such report, RR008 no such country, RR017 the caller's token may not.
create or replace function public.rerun_preview(report_id bigint, country_id text default null)
returns table (
  kind text,
  id bigint,
  status text,
  action text,
  output_bytes bigint,
  shared_with bigint[],
  errcode text,
  message text,
  hint text,
  seen text
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  target         pgreprise.linked_report;
  report_version text;
  same_key       bigint[];
  sharing_key    bigint[];
  keep_outputs   boolean;
begin
  perform pgreprise.enter('reports:read', rerun_preview.country_id);

  select linked.* into target
    from pgreprise.linked_reports(array[rerun_preview.report_id]) as linked
   where rerun_preview.country_id is null or linked.country_id = rerun_preview.country_id;
  if not found then
    perform pgreprise.raise_not_found('report', rerun_preview.report_id, rerun_preview.country_id);
  end if;

  if target.errcode is not null then
    return query select 'report', own.target.report_id, own.target.status, 'nothing: the report cannot be rerun',
        0::bigint, '{}'::bigint[], own.target.errcode, own.target.message, own.target.hint,
        null::text;
    if target.errcode = 'RR021' then
      return query
        select 'reference', null::bigint, null::text,
            format('%s of %s would be lost with economy cache rows of the report',
              coalesce(referring.lost::text || case referring.lost when 1 then ' row' else ' rows' end,
                'an unknown number of rows'), referring.child),
            0::bigint, '{}'::bigint[], referring.errcode, referring.message, referring.hint, null::text
          from pgreprise.lost_rows('RR021', 'reform_impact', 'reform_impact_id', array(
            select cached.reform_impact_id::text
              from pgreprise.report_cache_rows(own.target.cache_key, own.target.economy_impact_version) as cached
          )) as referring;
    end if;
    return;
  end if;

  report_version := coalesce(target.report_output_version, target.api_version);
  keep_outputs := (select setting.archive_outputs from pgreprise.setting as setting);
  return query
    select 'report', report.id::bigint, report.status::text,
        concat_ws(', ', 'pending', format('as run %s', report.run_sequence + 1),
          case when report.api_version <> own.report_version
            then format('as version %s (now %s)', own.report_version, report.api_version) end),
        case when own.keep_outputs then coalesce(octet_length(report.output::text), 0) else 0 end::bigint,
        '{}'::bigint[], null::text, null::text, null::text,
        pgreprise.seen_token(pgreprise.report_seen(report.id, report.run_sequence, (
          select jsonb_object_agg(simulation.id, simulation.run_sequence)
            from public.simulations as simulation
           where simulation.id = any (own.target.simulation_ids)
        ), own.report_version, own.target.package_version, own.target.economy_impact_version, own.target.cache_key,
        array(
          select cached.reform_impact_id
            from pgreprise.report_cache_rows(own.target.cache_key, own.target.economy_impact_version) as cached
        )))
      from public.report_outputs as report
     where report.id = own.target.report_id;

  return query
    select 'simulation', simulation.id::bigint, simulation.status::text,
        format('pending, as run %s', simulation.run_sequence + 1),
        case when own.keep_outputs then coalesce(octet_length(simulation.output::text), 0) else 0 end::bigint,
        array(
          select other.id::bigint
            from (
              select first_use.id
                from public.report_outputs as first_use
               where first_use.simulation_1_id = simulation.id
              union
              select second_use.id
                from public.report_outputs as second_use
               where second_use.simulation_2_id = simulation.id
            ) as other
           where other.id <> own.target.report_id
           order by other.id
        ),
        null::text, null::text, null::text, null::text
      from public.simulations as simulation
     where simulation.id = any (own.target.simulation_ids)
     order by simulation.id;

  same_key := pgreprise.same_key_reports(target.report_id, target.country_id, target.simulation_1_id,
    target.simulation_2_id, target.year, report_version);
  return query
    select 'report', report.id::bigint, report.status::text,
        'kept: it has the same key and version; the application shows report #'
          || greatest(own.target.report_id, own.same_key[cardinality(own.same_key)]),
        0::bigint, '{}'::bigint[], null::text, null::text, null::text, null::text
      from public.report_outputs as report
     where report.id = any (own.same_key)
     order by report.id;

  if target.report_type <> 'geography' then
    return;
  end if;

  sharing_key := array(
    select other.report_id
      from pgreprise.cache_key_reports(array[own.target.cache_key]) as other
     where other.report_id <> own.target.report_id
     order by other.report_id
  );

  return query
    select 'reform_impact', cached.reform_impact_id, cached.status,
        case
          when decided.is_deleted then 'deleted'
          else 'kept: ' || concat_ws(', ',
            case when cached.version <> own.target.economy_impact_version
              then 'version ' || cached.version end,
            case when not cached.is_of_report
              then format('dataset %s, options %s', cached.dataset, coalesce(cached.options_hash, 'null')) end)
        end,
        case when decided.is_deleted and own.keep_outputs then (
          select coalesce(octet_length(impact.reform_impact_json::text), 0)
            from public.reform_impact as impact
           where impact.reform_impact_id = cached.reform_impact_id
        ) else 0 end::bigint,
        case when decided.is_deleted then own.sharing_key else '{}' end, null::text, null::text, null::text,
        null::text
      from pgreprise.scope_cache_rows(own.target.cache_key) as cached
     cross join lateral (
       select cached.is_of_report and cached.version = own.target.economy_impact_version as is_deleted
     ) as decided
     order by decided.is_deleted desc, cached.reform_impact_id;
end;
$$;

comment on function public.rerun_preview(bigint, text) is
'What a rerun of a report would change, and which other reports share it; select * from rerun_preview(42).';

grant execute on function public.rerun_preview(bigint, text) to pgreprise_reader, pgreprise_api, pgreprise_dba;
