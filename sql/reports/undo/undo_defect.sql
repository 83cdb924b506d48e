-- undo_defect(act): why an act cannot be undone at all, now or later: one row with errcode, message, detail and hint,
-- or no row. What may stand in the way of an act that can be undone is in undo_obstacles().
create or replace function pgreprise.undo_defect(act pgreprise.rerun)
returns table (errcode text, message text, detail jsonb, hint text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  refused constant text := case
    when act.kind = 'undo' then format('Rerun #%s is an undo.', act.rerun_id)
    when act.kind in ('cancel_run', 'release_run')
      then format('Act #%s cancelled or released a run and cleared nothing.', act.rerun_id)
    when act.undone_by is not null
      then format('Rerun #%s was already undone at %s by undo #%s.', act.rerun_id, act.undone_at, act.undone_by)
    when not act.is_archived
      then format('Rerun #%s archived no outputs, because archive_outputs was off.', act.rerun_id)
    when act.purged_at is not null
      then format('The outputs that rerun #%s archived were purged at %s.', act.rerun_id, act.purged_at)
  end;
begin
  if refused is not null then
    return query select 'RR014', own.refused || ' It cannot be undone.',
        jsonb_build_object('rerun_id', (undo_defect.act).rerun_id, 'report_id', (undo_defect.act).report_id),
        'Nothing was changed. select * from report_history(<report_id>) shows what can be undone.';
  end if;
end;
$$;

comment on function pgreprise.undo_defect(pgreprise.rerun) is 'Why an act cannot be undone at all, or no row.';
