-- utc_text(as_of): a time as the carbon calculator writes it into JSON, in UTC with microseconds.
create or replace function pgreprise.utc_text(as_of timestamptz)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return to_char(utc_text.as_of at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || '+00:00';
end;
$$;

comment on function pgreprise.utc_text(timestamptz) is 'A time as the carbon calculator writes it into JSON, in UTC.';
