-- check_lease(lease): refuses a lease that no claim can have. A lease is how long a worker may be silent.
-- Raises RR016 when it is null, or not between 1 second and 1 day.
create or replace function pgreprise.check_lease(lease interval)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if check_lease.lease is null or check_lease.lease not between interval '1 second' and interval '1 day' then
    raise exception using
      errcode = 'RR016',
      message = 'A lease must be between 1 second and 1 day.',
      detail = jsonb_build_object('lease', check_lease.lease),
      hint = 'Take a few times as long as the worker needs between two heartbeats, for example interval ''60 s''.';
  end if;
end;
$$;

comment on function pgreprise.check_lease(interval) is 'Refuses a lease that no claim can have (RR016).';
