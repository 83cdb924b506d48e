-- undo_preview(rerun_id, report_id, country_id): what undo_rerun() would do now, one row for each thing that it would
-- write or overwrite: kind (report, simulation, reform_impact), id, status now, the action, and the obstacle: what
-- stands in its way, in the words in which undo_rerun() refuses, or null. can_be_forced tells whether force overwrites
-- it; it is null without an obstacle. One obstacle that cannot be forced makes the whole undo impossible.
-- A row of kind rerun is another rerun of the same batch that relies on what this one has reset.
-- With report_id and country_id the rerun must be of that report and country.
-- An act that cannot be undone at all gives one row of kind rerun, with the reason in errcode, message and hint.
-- seen, in the first row, is a token of what the preview has seen: undo_rerun(12, seen => ...) does what is said here,
-- or is refused.
-- What only the application's own triggers and constraints would refuse is not foreseen, nor rows of other tables that
-- would be lost (RR021). Changes nothing and locks nothing.
-- Raises RR008 no such country, RR013 no such rerun, RR017 the caller's token may not.
create or replace function public.undo_preview(
  rerun_id bigint, report_id bigint default null, country_id text default null
)
returns table (
  kind text,
  id bigint,
  status text,
  action text,
  obstacle text,
  can_be_forced boolean,
  errcode text,
  message text,
  hint text,
  seen text
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  act    pgreprise.rerun;
  defect record;
  -- What becomes of a run or a row that is in the way.
  lost   text;
begin
  perform pgreprise.enter('reports:read', undo_preview.country_id);

  select found_act.* into act
    from pgreprise.rerun as found_act
   where found_act.rerun_id = undo_preview.rerun_id
     and (undo_preview.report_id is null or found_act.report_id = undo_preview.report_id)
     and (undo_preview.country_id is null or found_act.country_id = undo_preview.country_id);
  if not found then
    perform pgreprise.raise_not_found('rerun', undo_preview.rerun_id);
  end if;

  select found_defect.errcode, found_defect.message, found_defect.hint into defect
    from pgreprise.undo_defect(own.act) as found_defect;
  if found then
    return query select 'rerun', own.act.rerun_id, null::text, 'nothing: it cannot be undone', null::text,
        null::boolean, own.defect.errcode, own.defect.message, own.defect.hint, null::text;
    return;
  end if;

  lost := case when (select setting.archive_outputs from pgreprise.setting as setting) then 'archived and ' else '' end;
  return query
    with thing as (
      select * from pgreprise.undo_obstacles(own.act) with ordinality as listed
    ),

    shown as (
      select thing.ordinality as place, thing.kind, thing.ids[1] as id, thing.status,
          case when thing.is_impossible then 'nothing: it is gone' else
            format('%s, as run %s: %s', case ended.status when 'running' then 'pending' else ended.status end,
              thing.current_run + 1,
              format(case
                  when not ended.has_result then 'run %s comes back, without a result'
                  when ended.status = 'error' then 'the error of run %s comes back'
                  else 'the result of run %s comes back'
                end, pgreprise.original_run(thing.kind, thing.ids[1], thing.started_run - 1)))
            || case when thing.obstacle is not null
              then format('; run %s would be %soverwritten', thing.current_run, own.lost) else '' end
          end as action,
          nullif(concat_ws('; ', thing.obstacle, thing.host_obstacle), '') as obstacle, thing.is_impossible
        from thing
        left join lateral (
         select run.status, run.had_output or run.error_message is not null as has_result
           from pgreprise.report_run as run
          where thing.kind = 'report' and run.report_id = thing.ids[1] and run.run_sequence = thing.started_run - 1
         union all
         select run.status, run.had_output or run.error_message is not null
           from pgreprise.simulation_run as run
          where thing.kind = 'simulation' and run.simulation_id = thing.ids[1]
            and run.run_sequence = thing.started_run - 1
       ) as ended on true
       where thing.kind in ('report', 'simulation')
      union all
      select thing.ordinality, 'rerun', thing.ids[1], null, 'kept: undo it first', thing.obstacle, false
        from thing
       where thing.kind = 'rerun'
      union all
      select thing.ordinality, 'reform_impact', newer.id, impact.status::text, own.lost || 'deleted',
          pgreprise.newer_rows_obstacle(array[newer.id]), false
        from thing
       cross join lateral unnest(thing.ids) as newer(id)
        join public.reform_impact as impact on impact.reform_impact_id = newer.id
       where thing.kind = 'newer_rows'
      union all
      select 1000000, 'reform_impact', removed.id, null, concat_ws(', ', 'put back', 'status ' || archived.status),
          taken.obstacle, taken.obstacle is not null
        from unnest(own.act.reform_impact_ids) as removed(id)
        left join pgreprise.reform_impact_archive as archived
          on archived.reform_impact_id = removed.id and archived.removal_id = own.act.removal_id
        left join thing as taken on taken.kind = 'taken_rows' and removed.id = any (taken.ids)
    ),

    numbered as (
      select shown.*, row_number() over (order by shown.place, shown.id) as number from shown
    )

    select numbered.kind, numbered.id, numbered.status, numbered.action, numbered.obstacle,
        case when numbered.obstacle is not null then not numbered.is_impossible end, null::text, null::text, null::text,
        case when numbered.number = 1 then pgreprise.seen_token(pgreprise.undo_seen(own.act)) end
      from numbered
     order by numbered.number;
  if not found then
    return query select 'rerun', own.act.rerun_id, null::text, 'nothing: it cleared nothing', null::text,
        null::boolean, null::text, null::text, null::text, pgreprise.seen_token(pgreprise.undo_seen(own.act));
  end if;
end;
$$;

comment on function public.undo_preview(bigint, bigint, text) is
'What the undo of a rerun would do, and what stands in its way; select * from undo_preview(12).';

grant execute on function public.undo_preview(bigint, bigint, text) to pgreprise_reader, pgreprise_api, pgreprise_dba;
