-- epoch_seconds(as_of): a moment as the whole seconds since 1970 that last_updated columns hold.
-- Fractions are cut off.
create or replace function pgreprise.epoch_seconds(as_of timestamptz)
returns bigint
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return floor(extract(epoch from epoch_seconds.as_of))::bigint;
end;
$$;

comment on function pgreprise.epoch_seconds(timestamptz) is 'A moment as whole seconds since 1970.';
