-- use_idempotency_key(idempotency_key, kind, target_id, made_id): records an idempotency key for what the caller is
-- about to do (see rerun_key for kind and target_id) under the number made_id. The caller has locked the report, where
-- there is one. Of two callers with the same key at the same moment, the second waits for the first.
-- Returns null when the key is new; when it was used before for the same, the number of what was done with it.
-- Raises RR012 when the key was used for something else, RR014 when the rerun of the key was undone, RR016 when the
-- key is empty or longer than 255 characters.
create or replace function pgreprise.use_idempotency_key(
  idempotency_key text, kind text, target_id bigint, made_id bigint
)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  used record;
  said record;
begin
  if length(use_idempotency_key.idempotency_key) not between 1 and 255 then
    raise exception using
      errcode = 'RR016',
      message = 'An idempotency key has 1 to 255 characters.',
      detail = jsonb_build_object('length', length(use_idempotency_key.idempotency_key)),
      hint = 'Use a new random UUID for each rerun, and the same UUID when you try a rerun again.';
  end if;

  insert into pgreprise.rerun_key as key (idempotency_key, kind, target_id, made_id)
  values (use_idempotency_key.idempotency_key, use_idempotency_key.kind, use_idempotency_key.target_id,
    use_idempotency_key.made_id)
  on conflict on constraint rerun_key_pkey do nothing;
  if found then
    return null;
  end if;

  select key.kind, key.target_id, key.made_id into used
    from pgreprise.rerun_key as key
   where key.idempotency_key = use_idempotency_key.idempotency_key;
  if used.kind <> use_idempotency_key.kind or used.target_id is distinct from use_idempotency_key.target_id then
    select pgreprise.key_use(own.used.kind, own.used.target_id, own.used.made_id,
          own.used.kind <> use_idempotency_key.kind) as was,
        pgreprise.key_use(use_idempotency_key.kind, use_idempotency_key.target_id, null,
          own.used.kind <> use_idempotency_key.kind) as wanted
      into said;
    raise exception using
      errcode = 'RR012',
      message = format('This idempotency key was used for %s, not for %s.', said.was, said.wanted),
      detail = case
        when used.kind = use_idempotency_key.kind and used.kind <> 'undo' then
          jsonb_build_object('report_id', use_idempotency_key.target_id, 'used_for_report_id', used.target_id,
            'rerun_id', used.made_id)
        else jsonb_build_object('kind', use_idempotency_key.kind, 'id', use_idempotency_key.target_id,
          'used_for_kind', used.kind, 'used_for_id', used.target_id, 'made_id', used.made_id)
      end,
      hint = 'Nothing was changed. Use a new key for each rerun.';
  end if;

  perform from pgreprise.rerun as act
    where act.rerun_id = own.used.made_id and act.undone_by is not null and own.used.kind = 'rerun';
  if found then
    raise exception using
      errcode = 'RR014',
      message = format('This idempotency key was used for rerun #%s, which was undone.', used.made_id),
      detail = jsonb_build_object('report_id', use_idempotency_key.target_id, 'rerun_id', used.made_id),
      hint = 'Nothing was changed. To rerun the report again, use a new key.';
  end if;
  return used.made_id;
end;
$$;

comment on function pgreprise.use_idempotency_key(text, text, bigint, bigint) is
'Records an idempotency key, or tells what was done with it.';
