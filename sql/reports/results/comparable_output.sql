-- comparable_output(report_id, run_sequence, country_id): the output of a run of a report, the current or an earlier
-- one, as jsonb.
-- Raises RR001 no such report, RR008 no such country, RR016 where the output holds what jsonb cannot, RR019 no such
-- run, or one without an output.
create or replace function pgreprise.comparable_output(
  report_id bigint, run_sequence bigint, country_id text default null
)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  run pgreprise.report_run_row;
begin
  select found_run.* into run
    from public.report_run_output(
      comparable_output.report_id, comparable_output.run_sequence, comparable_output.country_id
    ) as found_run;

  if run.output is null then
    raise exception using
      errcode = 'RR019',
      message = case
        when run.had_output
          then format('The output of run %s of report #%s was purged, or it was never kept.', run.run_sequence,
            run.report_id)
        else format('Run %s of report #%s has no output. Its status is %s.', run.run_sequence, run.report_id,
          run.status)
      end,
      detail = jsonb_build_object('report_id', run.report_id, 'run_sequence', run.run_sequence,
        'status', run.status, 'had_output', run.had_output),
      hint = format('select run_sequence, status, has_output from report_history(%s) lists the runs.', run.report_id);
  end if;

  -- The type json takes escapes and numbers that jsonb cannot hold.
  return run.output::jsonb;
exception
  when data_exception or program_limit_exceeded then
    raise exception using
      errcode = 'RR016',
      message = format('The output of run %s of report #%s cannot be compared: %s.', comparable_output.run_sequence,
        comparable_output.report_id, rtrim(sqlerrm, '.')),
      detail = jsonb_build_object('report_id', comparable_output.report_id,
        'run_sequence', comparable_output.run_sequence),
      hint = 'Nothing was changed. report_run_output() gives it as it is stored.';
end;
$$;

comment on function pgreprise.comparable_output(bigint, bigint, text) is 'The output of a run of a report as jsonb.';
