-- epoch_seconds(as_of): a time in whole seconds since 1970, as the columns last_updated hold it.
-- Fractions of a second are cut off.
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

comment on function pgreprise.epoch_seconds(timestamptz) is 'A time in whole seconds since 1970.';
