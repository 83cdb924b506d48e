-- history_privileges_undo: takes back what history_privileges gave.
-- The table may be gone by hand; then there is nothing to take back.
do $$
begin
  if to_regclass('public.reform_impact') is not null then
    execute 'revoke insert on table public.reform_impact from pgreprise_owner';
  end if;
end;
$$;
