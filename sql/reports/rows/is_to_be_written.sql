-- is_to_be_written(row_kind, row_id, stored_run, stored_status, stored_output, stored_error, written_run, status,
-- output, error_message): whether an update of a report or a simulation has to be written. The stored values are those
-- of its row, which the caller has locked. False where a finished run gets the very result that it has already: a
-- worker that lost the answer has sent it again.
-- Raises RR011 when the run that the writer read has ended, and RR020 when the update would change a finished run,
-- unless the setting allow_unfinish is on.
create or replace function pgreprise.is_to_be_written(
  row_kind text,
  row_id bigint,
  stored_run integer,
  stored_status text,
  stored_output json,
  stored_error text,
  written_run bigint,
  status text,
  output json,
  error_message text
)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  is_same boolean;
begin
  if is_to_be_written.stored_run <> is_to_be_written.written_run then
    perform pgreprise.raise_run_not_current(is_to_be_written.row_kind, is_to_be_written.row_id,
      is_to_be_written.stored_run, is_to_be_written.written_run);
  end if;
  if is_to_be_written.stored_status not in ('complete', 'error') then
    return true;
  end if;

  -- A null is a value that was not given.
  is_same := coalesce(is_to_be_written.status = is_to_be_written.stored_status, true)
    and (is_to_be_written.error_message is null
      or is_to_be_written.error_message is not distinct from is_to_be_written.stored_error);
  if is_same and is_to_be_written.output::text is distinct from is_to_be_written.stored_output::text
    and is_to_be_written.output is not null
  then
    begin
      is_same := is_to_be_written.output::jsonb is not distinct from is_to_be_written.stored_output::jsonb;
    exception
      -- A json may hold what a jsonb cannot.
      when data_exception or program_limit_exceeded then
        is_same := false;
    end;
  end if;

  if not is_same and not (select setting.allow_unfinish from pgreprise.setting as setting) then
    raise exception using
      errcode = 'RR020',
      message = format('%s #%s is at status %s, and a finished run is not un-finished.',
        initcap(is_to_be_written.row_kind), is_to_be_written.row_id, is_to_be_written.stored_status),
      detail = jsonb_build_object(is_to_be_written.row_kind || '_id', is_to_be_written.row_id,
        'run_sequence', is_to_be_written.stored_run, 'status', is_to_be_written.stored_status),
      hint = 'Nothing was changed. Rerun the report: its next run can be written. The setting allow_unfinish lets '
        'finished runs be written, for older applications.';
  end if;

  return not is_same;
end;
$$;

comment on function pgreprise.is_to_be_written(
  text, bigint, integer, text, json, text, bigint, text, json, text
) is 'Whether an update has to be written. Refuses one of an ended (RR011) or of a finished run (RR020).';
