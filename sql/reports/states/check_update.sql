-- check_update(status, output, error_message): refuses values that a report or a simulation cannot be updated with.
-- Raises RR016 for an unknown status, for status complete without an output, for an output that only looks like JSON
-- (half a surrogate pair, NUL, a number without end), and when all values are null.
create or replace function pgreprise.check_update(status text, output json, error_message text)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  refused text;
begin
  refused := case
    when check_update.status is null and check_update.output is null and check_update.error_message is null
      then 'No fields to update'
    when check_update.status not in ('pending', 'running', 'complete', 'error')
      then format('Status "%s" is not one of pending, running, complete and error.', check_update.status)
    when check_update.status = 'complete' and coalesce(json_typeof(check_update.output), 'null') = 'null'
      then 'Status complete needs an output.'
  end;

  -- The type json takes escapes and numbers that nobody can read afterwards.
  if check_update.output is not null then
    begin
      perform check_update.output::jsonb;
    exception when data_exception or program_limit_exceeded then
      refused := coalesce(refused, format('The output cannot be read as JSON: %s.', rtrim(sqlerrm, '.')));
    end;
  end if;

  if refused is not null then
    raise exception using
      errcode = 'RR016',
      message = refused,
      detail = jsonb_strip_nulls(jsonb_build_object('status', check_update.status)),
      hint = 'Give at least one of status, output and error_message. Give status complete together with its output.';
  end if;
end;
$$;

comment on function pgreprise.check_update(text, json, text) is
'Refuses values that a report or a simulation cannot be updated with (RR016).';
