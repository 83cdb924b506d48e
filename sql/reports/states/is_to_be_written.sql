-- is_to_be_written(row_kind, row_id, stored_run, stored_status, stored_output, stored_error, written_run, status,
-- output, error_message, claim_id): what may follow what: whether an update of a report or a simulation has to be
-- written. The stored values are those of its row, which the caller has locked. A claim that may write is locked now.
--
--   pending -> running -> complete or error
--
-- Each step may be left out, and a run may go back from running to pending. A finished run, which is complete or error,
-- stays as it is: only a rerun or an undo starts the next one. False where a finished run gets the very result that it
-- has already: a worker that lost the answer has sent it again.
-- Raises RR011 when the run that the writer read has ended; RR016 when a claim puts its report back to pending;
-- RR020 when the update would change a finished run, unless the setting allow_unfinish is on; RR027 or RR028 when the
-- claim is over or is not one of this row; RR030 when the write names no run or no claim, and the setting require_claim
-- asks for it.
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
  error_message text,
  claim_id uuid
)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  is_over     constant boolean := is_to_be_written.stored_status in ('complete', 'error');
  is_same     boolean;
  held        pgreprise.claim;
  claimed_run integer;
begin
  if is_to_be_written.stored_run <> is_to_be_written.written_run then
    perform pgreprise.raise_run_not_current(is_to_be_written.row_kind, is_to_be_written.row_id,
      is_to_be_written.stored_run, is_to_be_written.written_run);
  end if;
  if is_to_be_written.claim_id is not null then
    select claim.* into held from pgreprise.claim as claim where claim.claim_id = is_to_be_written.claim_id;
    claimed_run := case is_to_be_written.row_kind
      when 'report' then case when held.report_id = is_to_be_written.row_id then held.run_sequence end
      else (
        select given.run_sequence
          from pgreprise.claim_simulation as given
         where given.claim_id = is_to_be_written.claim_id and given.simulation_id = is_to_be_written.row_id
      )
    end;
    if claimed_run is null then
      perform pgreprise.raise_no_claim(is_to_be_written.claim_id, is_to_be_written.row_kind, is_to_be_written.row_id);
    elsif claimed_run <> is_to_be_written.stored_run then
      if held.ended_at is not null or held.revoked_at is not null then
        perform pgreprise.raise_claim_over(held);
      end if;
      perform pgreprise.raise_run_not_current(is_to_be_written.row_kind, is_to_be_written.row_id,
        is_to_be_written.stored_run, claimed_run);
    elsif is_to_be_written.row_kind = 'report' and is_to_be_written.status = 'pending' then
      raise exception using
        errcode = 'RR016',
        message = 'A worker does not put a report that it has claimed back to pending.',
        detail = jsonb_build_object('report_id', is_to_be_written.row_id, 'claim_id', is_to_be_written.claim_id),
        hint = format('Nothing was changed. Give it back: select release_claim(%L)', is_to_be_written.claim_id);
    end if;
  end if;

  if not is_over then
    if is_to_be_written.claim_id is not null then
      perform pgreprise.held_claim(is_to_be_written.claim_id, with_simulations => is_to_be_written.row_kind = 'report');
    else
      perform pgreprise.require_claim(is_to_be_written.row_kind, is_to_be_written.row_id, is_to_be_written.stored_run,
        is_to_be_written.written_run);
    end if;
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

  if not is_same and held.claim_id is not null then
    perform pgreprise.held_claim(held.claim_id, with_simulations => false);
  end if;
  if not is_same and (held.claim_id is not null
    or not (select setting.allow_unfinish from pgreprise.setting as setting))
  then
    raise exception using
      errcode = 'RR020',
      message = format('%s #%s is at status %s, and a finished run is not un-finished.',
        initcap(is_to_be_written.row_kind), is_to_be_written.row_id, is_to_be_written.stored_status),
      detail = jsonb_build_object(is_to_be_written.row_kind || '_id', is_to_be_written.row_id,
        'run_sequence', is_to_be_written.stored_run, 'status', is_to_be_written.stored_status),
      hint = 'Nothing was changed. Rerun the report: its next run can be written. The setting allow_unfinish lets '
        'finished runs be written, for older applications.';
  end if;
  if not is_same and held.claim_id is null then
    perform pgreprise.require_claim(is_to_be_written.row_kind, is_to_be_written.row_id, is_to_be_written.stored_run,
      is_to_be_written.written_run);
  end if;

  return not is_same;
end;
$$;

comment on function pgreprise.is_to_be_written(
  text, bigint, integer, text, json, text, bigint, text, json, text, uuid
) is
'What may follow what: whether an update has to be written. Refuses one of an ended run (RR011), of a finished one '
'(RR020), and of a claim that is over (RR027).';
