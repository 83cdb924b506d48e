-- compare_runs(report_id, run_sequence, other_run_sequence, country_id, after_path, max_rows): what differs between the
-- outputs of two runs of a report, as JSON: one row for each place that was added, removed or changed from the first
-- run to the other one (see json_differences). Changes nothing.
-- path is a JSON pointer (RFC 6901); '' is the whole output. old_value is null where the place was added, new_value
-- where it was removed; a JSON null is 'null'. Objects come in the order of their keys, arrays in their own.
-- There are at most max_rows rows. When there are as many, the next page begins after the path of the last one.
-- Raises RR001 no such report, RR008 no such country, RR016 for an output that jsonb cannot hold and when max_rows is
-- not between 1 and 1000, RR017 the caller's token may not read, RR019 no such run, or one without an output.
create or replace function public.compare_runs(
  report_id bigint,
  run_sequence bigint,
  other_run_sequence bigint,
  country_id text default null,
  after_path text default null,
  max_rows bigint default 1000
)
returns table (path text, change text, old_value jsonb, new_value jsonb)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  old_output jsonb;
  new_output jsonb;
begin
  perform pgreprise.enter('reports:read', compare_runs.country_id);
  perform pgreprise.check_max_rows(compare_runs.max_rows);

  old_output := pgreprise.comparable_output(
    compare_runs.report_id, compare_runs.run_sequence, compare_runs.country_id
  );
  new_output := pgreprise.comparable_output(
    compare_runs.report_id, compare_runs.other_run_sequence, compare_runs.country_id
  );

  return query
    select difference.path, difference.change, difference.old_value, difference.new_value
      from (
        select found_difference.*, pgreprise.pointer_order(found_difference.path) collate "C" as place
          from pgreprise.json_differences(own.old_output, own.new_output) as found_difference
      ) as difference
     where compare_runs.after_path is null
        or (difference.place, difference.path collate "C")
          > (pgreprise.pointer_order(compare_runs.after_path) collate "C", compare_runs.after_path collate "C")
     order by difference.place, difference.path collate "C"
     limit compare_runs.max_rows;
end;
$$;

comment on function public.compare_runs(bigint, bigint, bigint, text, text, bigint) is
'What differs between the outputs of two runs of a report; select * from compare_runs(42, 1, 2).';

grant execute on function public.compare_runs(bigint, bigint, bigint, text, text, bigint)
to pgreprise_reader, pgreprise_api, pgreprise_dba;
