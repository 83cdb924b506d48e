-- report_run_output(report_id, run_sequence, country_id, known_tags): the result of one run of a report, the current or
-- an earlier one. An application can show the last good result while the new one is computed. Changes nothing.
-- output is null where had_output is false, where the output was purged or never archived, and where the caller has the
-- row already, as known_tags tell.
-- Raises RR001 no such report, RR008 no such country, RR017 the caller's token may not read, RR019 no such run.
create or replace function public.report_run_output(
  report_id bigint, run_sequence bigint, country_id text default null, known_tags text[] default null
)
returns setof pgreprise.report_run_row
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  stored      pgreprise.report_row;
  had_output  boolean;
  current_run pgreprise.report_run_row;
begin
  perform pgreprise.enter('reports:read', report_run_output.country_id);
  select found_row.* into stored
    from pgreprise.stored_report(report_run_output.report_id, report_run_output.country_id) as found_row;
  if not found then
    perform pgreprise.raise_not_found('report', report_run_output.report_id, report_run_output.country_id);
  end if;

  if stored.run_sequence = report_run_output.run_sequence then
    -- In a query, the output would become a constant of its plan, and be read for that.
    had_output := stored.output is not null;
    select stored.id, stored.country_id, stored.run_sequence, true, stored.api_version, stored.status,
        own.had_output, null::json, stored.error_message, times.*, stored.tag
      into current_run
      from pgreprise.run_times('report', stored.id, stored.run_sequence) as times;
    if not pgreprise.is_known_tag(stored.tag, report_run_output.known_tags) then
      current_run.output := stored.output;
    end if;
    return next current_run;
    return;
  end if;

  return query
    select run.report_id, own.stored.country_id, run.run_sequence, false, run.api_version, run.status,
        run.had_output,
        case when not pgreprise.is_known_tag(tagged.tag, report_run_output.known_tags) then run.output end,
        run.error_message, times.*, tagged.tag
      from pgreprise.report_run as run
     cross join lateral pgreprise.run_times('report', run.report_id, run.run_sequence) as times
     cross join lateral (
       select md5(concat_ws(' ', run.xmin, run.ctid, own.stored.country_id, hash_record_extended(times.*, 0))) as tag
     ) as tagged
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

comment on function public.report_run_output(bigint, bigint, text, text[]) is
'The result of one run of a report, the current or an earlier one.';

grant execute on function public.report_run_output(bigint, bigint, text, text[])
to pgreprise_reader, pgreprise_api, pgreprise_dba;
