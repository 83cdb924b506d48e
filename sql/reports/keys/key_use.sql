-- key_use(kind, target_id, made_id, is_named): the words for what an idempotency key was used for; with is_named they
-- tell the kind, too. Only a batch that is made has no target.
create or replace function pgreprise.key_use(kind text, target_id bigint, made_id bigint, is_named boolean)
returns text
language sql
stable
begin atomic
  select case when key_use.is_named then case key_use.kind
      when 'rerun' then 'the rerun of '
      when 'undo' then 'the undo of '
      when 'undo_batch' then 'the undo of '
      when 'cancel_run' then 'cancelling '
      when 'release_run' then 'releasing '
      else ''
    end else '' end
    || case key_use.kind
      when 'undo' then 'rerun #' || key_use.target_id
      when 'undo_batch' then 'batch #' || key_use.target_id
      when 'rerun_batch' then coalesce('batch #' || key_use.made_id, 'a new batch')
      else 'report #' || key_use.target_id
    end as words;
end;

comment on function pgreprise.key_use(text, bigint, bigint, boolean) is
'The words for what an idempotency key was used for.';
