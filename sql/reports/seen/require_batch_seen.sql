-- require_batch_seen(seen, now, report_ids, simulation_ids): refuses a batch when its preview has seen something else
-- than is there now. seen is what read_seen() has read, and now is what batch_seen() has made with the same parts.
-- simulation_ids are the simulations of the reports.
-- Raises RR016 when the preview was made with another filter; RR029 when something has moved since. Then "moved" in
-- the detail is a list of {"kind", "id", "was", "is"}; "parts" are the ranges of ids in which reports or their runs are
-- others; "new_reports" counts those that were created since, with the first; and "acts" are up to 100 reruns, resets
-- and undos since on reports in these ranges or on the simulations.
create or replace function pgreprise.require_batch_seen(
  seen jsonb, now jsonb, report_ids bigint[], simulation_ids bigint[]
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = 'force_custom_plan'
as $$
<<own>>
declare
  most_acts   constant integer := 100;
  first_ids   bigint[];
  last_act    bigint;
  last_report bigint;
  said        text[];
  moved       jsonb;
  of_parts    record;
  new_reports record;
  of_acts     record;
begin
  if require_batch_seen.seen - 'mark' = require_batch_seen.now then
    return;
  end if;

  if require_batch_seen.seen -> 'batch' <> require_batch_seen.now -> 'batch' then
    raise exception using
      errcode = 'RR016',
      message = 'The value of seen is the token of a preview with another filter. Nothing was changed.',
      detail = jsonb_build_object('seen', require_batch_seen.seen -> 'batch'),
      hint = 'Preview this filter, and pass the token of that preview.';
  end if;

  select array_agg(thing.said order by thing.kind, thing.place, thing.id) filter (where thing.said is not null),
      jsonb_agg(jsonb_build_object('kind', thing.kind, 'id', thing.id, 'was', thing.was_value, 'is', thing.now_value)
        order by thing.kind, thing.place, thing.id) filter (where thing.kind in ('count', 'version'))
    into said, moved
    from (
      select each.*, array_position(array['reports', 'refused', 'simulations', 'reform_impacts'], each.id) as place,
          case
            when each.kind = 'count'
              then format('%s %s -> %s', named.thing, coalesce(each.was_value, '0'), coalesce(each.now_value, '0'))
            when each.kind = 'version' then format('%s version %s -> %s', each.id,
              coalesce(each.was_value, 'none'), coalesce(each.now_value, 'none'))
            -- As many as before; otherwise their number is told.
            when each.kind = 'digest' and require_batch_seen.seen -> 'count' -> each.id
              = require_batch_seen.now -> 'count' -> each.id
              then case each.id when 'simulations' then 'simulations have other runs' else 'other cache rows' end
          end as said
        from pgreprise.moved_things(require_batch_seen.seen, require_batch_seen.now) as each
       cross join lateral (select replace(each.id, 'reform_impacts', 'cache rows') as thing) as named
    ) as thing;

  first_ids := pgreprise.seen_parts(require_batch_seen.seen);
  select count(*) as moved, min(part.said) filter (where part.place = 1) as first_one,
      coalesce(jsonb_agg(jsonb_build_object('first_id', part.first_id, 'last_id', part.last_id,
        'was', part.was_reports, 'is', part.now_reports) order by part.place), '[]') as listed
    into of_parts
    from (
      select moved_part.*, row_number() over (order by moved_part.first_id) as place,
          case
            when moved_part.was_reports <= 1 and moved_part.now_reports <= 1
              then format('report #%s', moved_part.first_id)
            else concat_ws(' ', format('reports from #%s', moved_part.first_id),
              coalesce('to #' || moved_part.last_id::text, 'on'))
          end as said
        from (
          select thing.id::bigint as first_id,
              -- The next part begins after it.
              (select min(next_part.first_id) - 1 from unnest(own.first_ids) as next_part(first_id)
                where next_part.first_id > thing.id::bigint) as last_id,
              coalesce(split_part(thing.was_value, ' ', 1), '0')::bigint as was_reports,
              coalesce(split_part(thing.now_value, ' ', 1), '0')::bigint as now_reports
            from pgreprise.moved_things(
              jsonb_build_object('part', require_batch_seen.seen -> 'part'),
              jsonb_build_object('part', require_batch_seen.now -> 'part')
            ) as thing
        ) as moved_part
    ) as part;
  if of_parts.moved > 0 then
    said := said || format('other reports or runs in %s of %s ranges, first %s', of_parts.moved,
      greatest(cardinality(first_ids), 1), of_parts.first_one);
  end if;

  last_report := (require_batch_seen.seen #>> '{mark,report}')::bigint;
  select count(*) as reports, min(listed.report_id) as first_id into new_reports
    from unnest(require_batch_seen.report_ids) as listed(report_id)
   where listed.report_id > own.last_report;
  if new_reports.reports > 0 then
    said := said || format('%s new, first #%s', new_reports.reports, new_reports.first_id);
  end if;

  last_act := (require_batch_seen.seen #>> '{mark,act}')::bigint;
  with touching as (
    select act.rerun_id
      from pgreprise.rerun as act
      join jsonb_to_recordset(own.of_parts.listed) as part(first_id bigint, last_id bigint)
        on act.report_id >= part.first_id and (part.last_id is null or act.report_id <= part.last_id)
     where act.rerun_id > own.last_act
    union
    select act.rerun_id
      from pgreprise.rerun as act
     cross join lateral unnest(act.simulation_ids) as touched(simulation_id)
      join unnest(require_batch_seen.simulation_ids) as used(simulation_id)
        on used.simulation_id = touched.simulation_id
     where act.rerun_id > own.last_act
  )

  select count(*) as number, coalesce(jsonb_agg(numbered.act order by numbered.place)
        filter (where numbered.place <= own.most_acts), '[]') as listed
    into of_acts
    from (
      select row_number() over (order by act.rerun_id) as place,
          jsonb_build_object('rerun_id', act.rerun_id, 'kind', act.kind, 'report_id', act.report_id,
            'simulation_ids', act.simulation_ids, 'batch_id', act.batch_id,
            'who', coalesce(act.actor, act.role_setting, act.session_role)) as act
        from touching
        join pgreprise.rerun as act on act.rerun_id = touching.rerun_id
    ) as numbered;

  raise exception using
    errcode = 'RR029',
    message = format('The batch is not as the preview saw it: %s.%s Nothing was changed.',
      array_to_string(said, ', '),
      case when of_acts.number > 0 then format(' %s there since, first %s #%s of %s by %s.',
        of_acts.number || case of_acts.number when 1 then ' act' else ' acts' end,
        of_acts.listed #>> '{0,kind}', of_acts.listed #>> '{0,rerun_id}',
        coalesce('report #' || (of_acts.listed #>> '{0,report_id}'),
          'simulation #' || (of_acts.listed #>> '{0,simulation_ids,0}')),
        of_acts.listed #>> '{0,who}')
      end),
    detail = jsonb_build_object('moved', coalesce(moved, '[]'), 'parts', of_parts.listed,
      'new_reports', to_jsonb(new_reports), 'acts', of_acts.listed),
    hint = 'Preview it again. If what you see is to be rerun, pass the token of that preview.';
end;
$$;

comment on function pgreprise.require_batch_seen(jsonb, jsonb, bigint[], bigint[]) is
'Refuses a batch that is not as its preview has seen it.';
