-- report_defects(after_report_id, max_rows, country_id, errcode): every report that cannot be rerun, and why: one row
-- for each, by id. This is the audit to run first. Without max_rows it reads all reports. With it there are at most so
-- many rows, and the next page begins after the report_id of the last one; it reads the reports in that order and stops
-- when the page is full, so a page of a defect that few reports have takes as long as all of them. Each condition that
-- is given must hold. Changes nothing.
-- Raises RR008 no such country, RR016 when max_rows is not between 1 and 1000 or errcode is no defect of a report;
-- RR017 when the caller's token may not read.
create or replace function public.report_defects(
  after_report_id bigint default null,
  max_rows bigint default null,
  country_id text default null,
  errcode text default null
)
returns setof pgreprise.defect_row
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
-- A few hundred ids or all reports, of one country or of all: each has another best plan.
set plan_cache_mode = 'force_custom_plan'
as $$
<<own>>
declare
  ids         bigint[];
  -- The first windows are small, because there may be nothing but defects. Large ones take less time a report.
  window_size bigint := 1000;
  last_id     bigint := report_defects.after_report_id;
  found_rows  bigint;
  rows_left   bigint := report_defects.max_rows;
begin
  perform pgreprise.enter('reports:read', report_defects.country_id);
  if report_defects.max_rows is not null then
    perform pgreprise.check_max_rows(report_defects.max_rows);
  end if;
  if report_defects.errcode not in ('RR002', 'RR003', 'RR004', 'RR005', 'RR006', 'RR021') then
    raise exception using
      errcode = 'RR016',
      message = format('%s is no defect of a report.', to_json(left(report_defects.errcode, 100))),
      detail = jsonb_build_object('errcode', left(report_defects.errcode, 100)),
      hint = 'It is RR002, RR003, RR004, RR005, RR006 or RR021.';
  end if;

  if report_defects.max_rows is null then
    return query
      select linked.report_id, linked.country_id, linked.errcode, linked.message, linked.hint
        from pgreprise.linked_reports(can_be_rerun => false) as linked
       where (report_defects.after_report_id is null or linked.report_id > report_defects.after_report_id)
         and (report_defects.country_id is null or linked.country_id = report_defects.country_id)
         and (report_defects.errcode is null or linked.errcode = report_defects.errcode)
       order by linked.report_id;
    return;
  end if;

  loop
    ids := array(
      select report.id
        from public.report_outputs as report
       where (own.last_id is null or report.id > own.last_id)
         and (report_defects.country_id is null or report.country_id = report_defects.country_id)
       order by report.id
       limit own.window_size
    );
    return query
      select linked.report_id, linked.country_id, linked.errcode, linked.message, linked.hint
        from pgreprise.linked_reports(ids, can_be_rerun => false) as linked
       where report_defects.errcode is null or linked.errcode = report_defects.errcode
       order by linked.report_id
       limit own.rows_left;
    get diagnostics found_rows = row_count;
    rows_left := rows_left - found_rows;
    exit when rows_left = 0 or cardinality(ids) < window_size;
    last_id := ids[cardinality(ids)];
    window_size := least(window_size * 2, 256000);
  end loop;
end;
$$;

comment on function public.report_defects(bigint, bigint, text, text) is
'Every report that cannot be rerun, and why; select * from report_defects(max_rows => 20).';

grant execute on function public.report_defects(bigint, bigint, text, text)
to pgreprise_reader, pgreprise_api, pgreprise_dba;
