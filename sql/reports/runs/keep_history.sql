-- keep_history: stops a downgrade that would lose the history of reruns and what they archived, unless the
-- session said in so many words that it may: set pgreprise.drop_tables_with_rows = 'yes'.
-- Run numbers would begin again at 1, so workers of before must be gone.
-- Raises 55000, and nothing has changed.
do $$
begin
  lock table pgreprise.rerun in access exclusive mode;
  if exists (select from pgreprise.rerun)
    and current_setting('pgreprise.drop_tables_with_rows', true) is distinct from 'yes'
  then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = 'The downgrade would drop the history of reruns and the outputs that they archived.',
      detail = format('pgreprise.rerun holds %s rows.', (select count(*) from pgreprise.rerun)),
      hint = 'Take a backup first. To drop it: pgreprise migrate --downgrade REVISION --drop-tables-with-rows';
  end if;
end;
$$;
