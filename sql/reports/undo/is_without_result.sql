-- is_without_result(row_kind, row_id, run_sequence, status, has_result): whether a run of a report or a simulation
-- holds nothing that an undo would overwrite, although pgreprise has written it: a worker has claimed it and not
-- finished it, or it is a report at error because it was cancelled or its workers were lost.
create or replace function pgreprise.is_without_result(
  row_kind text, row_id bigint, run_sequence integer, status text, has_result boolean
)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if is_without_result.status in ('pending', 'running') then
    return not is_without_result.has_result and case is_without_result.row_kind
      when 'report' then exists (
        select from pgreprise.claim as claim
         where claim.report_id = is_without_result.row_id and claim.run_sequence = is_without_result.run_sequence
      )
      else exists (
        select from pgreprise.claim_simulation as given
         where given.simulation_id = is_without_result.row_id
           and given.run_sequence = is_without_result.run_sequence
      )
    end;
  end if;

  return is_without_result.row_kind = 'report' and is_without_result.status = 'error' and (
    exists (
      select from pgreprise.rerun as cancel
       where cancel.report_id = is_without_result.row_id
         and cancel.run_sequence is null
         and cancel.kind = 'cancel_run'
         and cancel.of_run = is_without_result.run_sequence
    )
    or coalesce((
      select claim.ended_as = 'lost'
        from pgreprise.claim as claim
       where claim.report_id = is_without_result.row_id and claim.run_sequence = is_without_result.run_sequence
       order by claim.attempt desc
       limit 1
    ), false)
  );
end;
$$;

comment on function pgreprise.is_without_result(text, bigint, integer, text, boolean) is
'Whether a run holds nothing that an undo would overwrite, although pgreprise has written it.';
