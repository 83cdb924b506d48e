-- epoch_time(seconds): the time of a number of seconds since 1970, as the columns last_updated hold it. Null for one
-- before the year 1 or after the year 9999, which no client could read and nobody meant.
create or replace function pgreprise.epoch_time(seconds bigint)
returns timestamptz
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return case
    when epoch_time.seconds between -62135510400 and 253402214400 then to_timestamp(epoch_time.seconds)
  end;
end;
$$;

comment on function pgreprise.epoch_time(bigint) is 'The time of a number of seconds since 1970.';
