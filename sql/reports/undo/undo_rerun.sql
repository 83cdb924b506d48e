-- undo_rerun(rerun_id, force, report_id, country_id, reason, seen, idempotency_key, result): puts back exactly what a
-- rerun cleared, as a new run: the status, output, error and version of the report and its simulations, and the economy
-- cache rows with their ids. Results of workers for the earlier runs are refused from then on. reset_report,
-- reset_simulation and delete_reform_impacts are undone in the same way.
-- The undo is refused when it would overwrite a later run or a later result. With force these are archived and
-- overwritten; force is for members of pgreprise_dba and tokens with the scope reports:admin.
-- With report_id and country_id the rerun must be of that report and country.
-- seen is the token of a preview (undo_preview). With it the undo is refused when something has moved since, with force
-- too; undo_seen() tells what counts.
-- With an idempotency_key the undo is done once: a second call with the same key for the same rerun returns the first
-- result and changes nothing.
--
-- result: {"rerun_id", "undo_id", "report_id", "report_type", "simulation_ids", "economy_cache_rows_restored",
-- "cache_scopes", "run_sequence"}: simulation_ids are the simulations that were put back, run_sequence is the new run
-- of the report.
-- Raises RR008 no such country, RR010 later results are in the way, RR012 the key was used for something else, RR013 no
-- such rerun, RR014 undone or purged already, or never archived, RR016 an impossible key, reason or token of a preview,
-- RR017 the caller's token may not, RR029 something has moved since the preview.
create or replace procedure public.undo_rerun(
  rerun_id bigint,
  force boolean default false,
  report_id bigint default null,
  country_id text default null,
  reason text default null,
  seen text default null,
  idempotency_key text default null,
  inout result jsonb default null
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  act       pgreprise.rerun;
  undo_id   bigint;
  used_id   bigint;
  taken_key text;
begin
  perform pgreprise.enter('reports:rerun', undo_rerun.country_id);
  if undo_rerun.force then
    perform pgreprise.require_scope('reports:admin');
  end if;

  select found_act.* into act
    from pgreprise.rerun as found_act
   where found_act.rerun_id = undo_rerun.rerun_id
     and (undo_rerun.report_id is null or found_act.report_id = undo_rerun.report_id)
     and (undo_rerun.country_id is null or found_act.country_id = undo_rerun.country_id);
  if not found then
    perform pgreprise.raise_not_found('rerun', undo_rerun.rerun_id);
  end if;

  if undo_rerun.idempotency_key is not null then
    -- The report before the key, as in a rerun.
    perform from public.report_outputs as report where report.id = own.act.report_id for no key update;
    undo_id := pgreprise.new_act_id(pgreprise.id_shard('rerun', act.rerun_id));
    used_id := pgreprise.use_idempotency_key(undo_rerun.idempotency_key, 'undo', act.rerun_id, undo_id);
    if used_id is not null then
      result := (select pgreprise.undo_result(undo) from pgreprise.rerun as undo where undo.rerun_id = own.used_id);
      return;
    end if;
  end if;

  result := pgreprise.undo_act(undo_rerun.rerun_id, coalesce(undo_rerun.force, false),
    pgreprise.checked_reason(undo_rerun.reason),
    seen => case when undo_rerun.seen is not null then pgreprise.read_seen(undo_rerun.seen, 'undo') end,
    undo_id => own.undo_id, idempotency_key => undo_rerun.idempotency_key);
exception
  when lock_not_available then
    perform pgreprise.raise_report_wait(array_remove(array[act.report_id], null), act.simulation_ids);
  when unique_violation then
    get stacked diagnostics taken_key = constraint_name;
    perform pgreprise.raise_sequence_behind('RR023', taken_key);
    raise;
end;
$$;

comment on procedure public.undo_rerun is
'Puts back what a rerun cleared, as a new run: call undo_rerun(12). Refused when later results are in the way.';

grant execute on procedure public.undo_rerun(bigint, boolean, bigint, text, text, text, text, jsonb)
to pgreprise_api, pgreprise_dba;
