-- report_run_output(report_id, run_sequence, country_id): the result of one run of a report, the current or an earlier
-- one. An application can show the last good result while the new one is computed. Changes nothing.
-- output is null where had_output is false, and where the output was purged or never archived.
-- Raises RR001 no such report, RR008 no such country, RR017 the caller's token may not read, RR019 no such run.
create or replace function public.report_run_output(
  report_id bigint, run_sequence bigint, country_id text default null
)
returns setof pgreprise.report_run_row
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  stored pgreprise.report_row;
begin
  perform pgreprise.enter('reports:read', report_run_output.country_id);
  select found_row.* into stored
    from pgreprise.stored_report(report_run_output.report_id, report_run_output.country_id) as found_row;
  if not found then
    perform pgreprise.raise_not_found('report', report_run_output.report_id, report_run_output.country_id);
  end if;

  if stored.run_sequence = report_run_output.run_sequence then
    return query
      select stored.id, stored.country_id, stored.run_sequence, true, stored.api_version, stored.status,
          stored.output is not null, stored.output, stored.error_message, times.*
        from pgreprise.run_times('report', stored.id, stored.run_sequence) as times;
    return;
  end if;

  return query
    select run.report_id, own.stored.country_id, run.run_sequence, false, run.api_version, run.status,
        run.had_output, run.output, run.error_message, times.*
      from pgreprise.report_run as run
     cross join lateral pgreprise.run_times('report', run.report_id, run.run_sequence) as times
     where run.report_id = report_run_output.report_id
       and run.run_sequence = report_run_output.run_sequence
       -- Later runs belong to a deleted report that had this id.
       and run.run_sequence < own.stored.run_sequence;

  if not found then
    raise exception using
      errcode = 'RR019',
      message = format('Report #%s has no run %s.', report_run_output.report_id,
        coalesce(report_run_output.run_sequence::text, 'null')),
      detail = jsonb_build_object('report_id', report_run_output.report_id,
        'run_sequence', report_run_output.run_sequence, 'current_run_sequence', stored.run_sequence),
      hint = format('Its current run is %s. select * from report_history(%s) lists all runs.', stored.run_sequence,
        report_run_output.report_id);
  end if;
end;
$$;

comment on function public.report_run_output(bigint, bigint, text) is
'The result of one run of a report, the current or an earlier one.';

grant execute on function public.report_run_output(bigint, bigint, text)
to pgreprise_reader, pgreprise_api, pgreprise_dba;
