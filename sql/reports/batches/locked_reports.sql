-- locked_reports(report_ids): those of these reports that need a row which another transaction holds (needed_rows). The
-- rows of the others are locked now, as a rerun locks them. It waits for no row.
-- Returns [{"report_id", "errcode", "message"}, ...]. The message names the row and who holds it.
create or replace function pgreprise.locked_reports(report_ids bigint[])
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  needed  jsonb;
  wanted  record;
  blocked record;
  found_reports jsonb := jsonb_build_object();
begin
  needed := coalesce(
    (select jsonb_agg(to_jsonb(needed_row)) from pgreprise.needed_rows(locked_reports.report_ids) as needed_row), '[]'
  );

  for wanted in
    select needed_row.table_name, needed_row.key_column, needed_row.are_deleted,
        array_agg(distinct needed_row.row_id) as ids
      from jsonb_to_recordset(own.needed) as needed_row(place integer, table_name text, key_column text,
        are_deleted boolean, row_id bigint)
     group by needed_row.place, needed_row.table_name, needed_row.key_column, needed_row.are_deleted
     order by needed_row.place
  loop
    for blocked in
      select locked.row_id
        from pgreprise.locked_rows(wanted.table_name, wanted.ids, wanted.are_deleted, wanted.key_column) as locked
    loop
      begin
        perform pgreprise.raise_lock_wait(wanted.table_name, array[blocked.row_id], wanted.are_deleted,
          wanted.key_column);
      exception
        when lock_not_available then
          found_reports := (
            select jsonb_object_agg(needed_row.report_id,
                jsonb_build_object('report_id', needed_row.report_id, 'errcode', sqlstate, 'message', sqlerrm))
              from jsonb_to_recordset(own.needed) as needed_row(table_name text, row_id bigint, report_id bigint)
             where needed_row.table_name = wanted.table_name and needed_row.row_id = blocked.row_id
          ) || found_reports;
      end;
    end loop;
  end loop;

  return coalesce((select jsonb_agg(skipped.value) from jsonb_each(own.found_reports) as skipped), '[]');
end;
$$;

comment on function pgreprise.locked_reports(bigint[]) is
'Those of these reports that need a row which somebody else holds, and who that is.';
