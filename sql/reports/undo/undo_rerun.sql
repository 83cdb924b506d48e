-- undo_rerun(rerun_id, force, result): put back exactly what a rerun cleared (status, output, error and version of
-- the report and its simulations, and the economy cache rows with their ids) as a new run, so that workers of
-- both earlier runs are refused. It is refused when anything that it would overwrite has moved on since. With force,
-- for members of pgreprise_dba or a token with reports:admin, that is archived and overwritten.
-- With report_id and country_id the rerun must be of that report, and the report of that country.
--
-- Resets and deletions by reset_report, reset_simulation and delete_reform_impacts are undone alike.
-- result: {"rerun_id", "undo_id", "report_id", "report_type", "simulation_ids", "economy_cache_rows_restored",
-- "run_sequence"}: the simulations that were put back, and the new run of the report.
-- Raises RR008 no such country, RR010 something has moved on, RR013 no such rerun, RR014 undone or purged already,
-- or never archived, RR017 the caller may not.
create or replace procedure public.undo_rerun(
  rerun_id bigint,
  force boolean default false,
  inout result jsonb default null,
  report_id bigint default null,
  country_id text default null
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgreprise.enter('reports:rerun', undo_rerun.country_id);
  if undo_rerun.force then
    perform pgreprise.require_scope('reports:admin');
  end if;

  perform from pgreprise.rerun as act
    where act.rerun_id = undo_rerun.rerun_id
      and (undo_rerun.report_id is null or act.report_id = undo_rerun.report_id)
      and (undo_rerun.country_id is null or act.country_id = undo_rerun.country_id);
  if not found then
    perform pgreprise.raise_rerun_not_found(undo_rerun.rerun_id);
  end if;

  result := pgreprise.take_back(undo_rerun.rerun_id, coalesce(undo_rerun.force, false));
end;
$$;

comment on procedure public.undo_rerun is
'Puts back what a rerun cleared, as a new run: call undo_rerun(12). Refused when things have moved on since.';

grant execute on procedure public.undo_rerun(bigint, boolean, jsonb, bigint, text) to pgreprise_api, pgreprise_dba;
