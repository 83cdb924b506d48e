-- keep_history: stops a downgrade that would delete the history of reruns and the outputs that they archived, unless
-- the session has allowed it: set pgreprise.drop_tables_with_rows = 'yes'.
-- After such a downgrade run numbers begin at 1 again, so workers from before it must have ended.
-- Raises 55000; then nothing has changed.
do $$
begin
  lock table pgreprise.rerun in access exclusive mode;
  if exists (select from pgreprise.rerun)
    and current_setting('pgreprise.drop_tables_with_rows', true) is distinct from 'yes'
  then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = 'The downgrade would delete the history of reruns and the outputs that they archived.',
      detail = (
        select format('pgreprise.rerun has %s %s.', count(*), case count(*) when 1 then 'row' else 'rows' end)
          from pgreprise.rerun
      ),
      hint = 'Make a backup first. To delete it: pgreprise migrate --downgrade REVISION --drop-tables-with-rows';
  end if;
end;
$$;
