-- enter(scope, country_id): what every entry point does first. It limits how long the rest of the transaction waits
-- for a lock to 5 seconds, where the caller has set no lock_timeout; it refuses a caller without the scope
-- (require_scope); and where a country is given, it refuses one that does not exist (require_country, a routine of
-- the reports domain: only that domain gives countries).
-- A `set lock_timeout` clause of the entry point would not do, because it overrides a stricter caller.
-- Raises RR008 for an unknown country, RR017 when the scope is missing.
create or replace function pgreprise.enter(scope text, country_id text default null)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
-- An expression costs a third of a statement; that matters where it is done for each call.
declare
  longest_wait text := current_setting('lock_timeout');
begin
  if longest_wait = '0' then
    longest_wait := set_config('lock_timeout', '5s', true);
  end if;

  if not pgreprise.has_scope(enter.scope) then
    perform pgreprise.require_scope(enter.scope);
  end if;

  if enter.country_id is not null then
    perform pgreprise.require_country(enter.country_id);
  end if;
end;
$$;

comment on function pgreprise.enter(text, text) is
'What every entry point does first: it limits lock waits and checks the caller''s scope and the country.';
