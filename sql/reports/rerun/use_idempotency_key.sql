-- use_idempotency_key(idempotency_key, report_id): records an idempotency key for a rerun of a report. The caller has
-- locked the report. Of two callers with the same key at the same moment, the second waits for the first.
-- Returns the id of the rerun and is_new. is_new is false when the key was used before; then the id is that of the
-- rerun that was done with it.
-- Raises RR012 when the key was used for another report, RR014 when the rerun of the key was undone, RR016 when the
-- key is empty or longer than 255 characters.
create or replace function pgreprise.use_idempotency_key(
  idempotency_key text, report_id bigint, out rerun_id bigint, out is_new boolean
)
returns record
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  used record;
begin
  if length(use_idempotency_key.idempotency_key) not between 1 and 255 then
    raise exception using
      errcode = 'RR016',
      message = 'An idempotency key has 1 to 255 characters.',
      detail = jsonb_build_object('length', length(use_idempotency_key.idempotency_key)),
      hint = 'Use a new random UUID for each rerun, and the same UUID when you try a rerun again.';
  end if;

  insert into pgreprise.rerun_key as key (idempotency_key, report_id, rerun_id)
  values (use_idempotency_key.idempotency_key, use_idempotency_key.report_id, nextval('pgreprise.rerun_rerun_id_seq'))
  on conflict on constraint rerun_key_pkey do nothing
  returning key.rerun_id into rerun_id;
  is_new := found;
  if is_new then
    return;
  end if;

  select key.report_id, key.rerun_id into used
    from pgreprise.rerun_key as key
   where key.idempotency_key = use_idempotency_key.idempotency_key;
  if used.report_id <> use_idempotency_key.report_id then
    raise exception using
      errcode = 'RR012',
      message = format('This idempotency key was used for report #%s, not for report #%s.', used.report_id,
        use_idempotency_key.report_id),
      detail = jsonb_build_object('report_id', use_idempotency_key.report_id, 'used_for_report_id', used.report_id,
        'rerun_id', used.rerun_id),
      hint = 'Nothing was changed. Use a new key for each rerun.';
  end if;

  perform from pgreprise.rerun as act where act.rerun_id = used.rerun_id and act.undone_by is not null;
  if found then
    raise exception using
      errcode = 'RR014',
      message = format('This idempotency key was used for rerun #%s, which was undone.', used.rerun_id),
      detail = jsonb_build_object('report_id', use_idempotency_key.report_id, 'rerun_id', used.rerun_id),
      hint = 'Nothing was changed. To rerun the report again, use a new key.';
  end if;
  rerun_id := used.rerun_id;
end;
$$;

comment on function pgreprise.use_idempotency_key(text, bigint) is
'Records an idempotency key, or tells which rerun it was used for.';
