-- raise_permission_denied(path, action, hint): the refusal of a caller without a permission. The front end of the
-- application reads path and action from the message.
-- Raises RC002.
create or replace function pgreprise.raise_permission_denied(path text, action text, hint text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'RC002',
    message = format('Permission denied: %s.%s required', raise_permission_denied.path,
      raise_permission_denied.action),
    detail = jsonb_build_object('path', raise_permission_denied.path, 'action', raise_permission_denied.action),
    hint = raise_permission_denied.hint;
end;
$$;

comment on function pgreprise.raise_permission_denied(text, text, text) is
'Refuses a caller without a permission (RC002).';
