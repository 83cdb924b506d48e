-- raise_rerun_not_found(rerun_id): what every routine says of a rerun that is not there, or not of that report.
-- Raises RR013, always.
create or replace function pgreprise.raise_rerun_not_found(rerun_id bigint)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'RR013',
    message = format('Rerun #%s not found.', coalesce(raise_rerun_not_found.rerun_id::text, 'null')),
    detail = jsonb_build_object('rerun_id', raise_rerun_not_found.rerun_id),
    hint = 'select * from report_history(<report_id>) shows the reruns of a report.';
end;
$$;

comment on function pgreprise.raise_rerun_not_found(bigint) is 'Raises RR013.';
