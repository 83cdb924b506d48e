-- rerun_unlocked(report_ids, batch_id): reruns many reports of a batch (rerun_each), but leaves those that need a row
-- which another transaction holds: the report, one of its simulations, or one of its cache rows.
-- Returns what rerun_each() returns, and "left": [{"report_id", "errcode", "message"}, ...], where the message names
-- the row and who holds it.
-- Raises RR023 when a sequence is behind.
create or replace function pgreprise.rerun_unlocked(report_ids bigint[], batch_id bigint)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  done      jsonb;
  left_out  jsonb := jsonb_build_array();
  free_ids  bigint[];
  one_id    bigint;
  one_done  jsonb;
  taken_key text;
begin
  -- All of them at once. A block of their own: without their locks it is seen who holds what.
  begin
    return pgreprise.rerun_each(rerun_unlocked.report_ids, rerun_unlocked.batch_id)
      || jsonb_build_object('left', jsonb_build_array());
  exception
    when lock_not_available then
      null;
    when unique_violation then
      get stacked diagnostics taken_key = constraint_name;
      perform pgreprise.raise_sequence_behind('RR023', taken_key);
      raise;
  end;

  left_out := pgreprise.locked_reports(rerun_unlocked.report_ids);
  free_ids := array(
    select wanted.report_id
      from unnest(rerun_unlocked.report_ids) as wanted(report_id)
    except
    select skipped.report_id from jsonb_to_recordset(own.left_out) as skipped(report_id bigint)
     order by report_id
  );
  begin
    return pgreprise.rerun_each(free_ids, rerun_unlocked.batch_id) || jsonb_build_object('left', left_out);
  exception
    when lock_not_available then
      null;
  end;

  -- They wait for a row that nobody can foresee, as one of the application's tables of runs: one after the other.
  perform set_config('lock_timeout', '50ms', true);
  done := pgreprise.rerun_many('{}', rerun_unlocked.batch_id);
  foreach one_id in array free_ids loop
    begin
      one_done := pgreprise.rerun_each(array[one_id], rerun_unlocked.batch_id);
      done := pgreprise.add_counts(done - 'refused' - 'same_key', one_done - 'refused' - 'same_key')
        || jsonb_build_object('refused', (done -> 'refused') || (one_done -> 'refused'),
          'same_key', (done -> 'same_key') || (one_done -> 'same_key'));
    exception
      when lock_not_available then
        left_out := left_out || jsonb_build_object('report_id', one_id, 'errcode', sqlstate, 'message',
          'A row of the application that this report needs is locked. Nothing was changed.');
    end;
  end loop;
  return done || jsonb_build_object('left', left_out);
end;
$$;

comment on function pgreprise.rerun_unlocked(bigint[], bigint) is
'Reruns reports of a batch, but leaves those that need a row which somebody else holds.';
