-- require_own_entry(data, own_institutional_id, module): refuses data that would make an entry of somebody else, from
-- a caller who is limited to own entries (see is_own_entry).
-- Raises RC002.
create or replace function pgreprise.require_own_entry(data jsonb, own_institutional_id text, module text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if not pgreprise.is_own_entry(require_own_entry.data, require_own_entry.own_institutional_id) then
    perform pgreprise.raise_permission_denied('modules.' || replace(require_own_entry.module, '-', '_'), 'edit',
      'user_institutional_id in the data must be the caller''s own institutional id.');
  end if;
end;
$$;

comment on function pgreprise.require_own_entry(jsonb, text, text) is
'Refuses an entry of somebody else from a caller who is limited to own entries (RC002).';
