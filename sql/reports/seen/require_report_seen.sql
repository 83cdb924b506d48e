-- require_report_seen(seen, now, report_id): refuses a rerun when a preview has seen something else than what is there
-- now. seen is what read_seen() has read; now is what report_seen() makes of what the rerun has found under its locks.
-- Raises RR016 when the preview was of another report; RR029 when something has moved since. Then the message and the
-- detail name each thing: "moved" is a list of {"kind", "id", "was", "is"}.
create or replace function pgreprise.require_report_seen(seen jsonb, now jsonb, report_id bigint)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  most_said constant integer := 10;
  others    text;
  listed    jsonb;
  said      text;
begin
  if require_report_seen.seen = require_report_seen.now then
    return;
  end if;

  if not (require_report_seen.seen -> 'report') ? require_report_seen.report_id::text then
    others := (select string_agg('#' || seen_report.id, ', ')
      from jsonb_object_keys(require_report_seen.seen -> 'report') as seen_report(id));
    raise exception using
      errcode = 'RR016',
      message = format('The value of seen is the token of a preview of report %s, and not of report #%s. '
        'Nothing was changed.', coalesce(others, '?'), require_report_seen.report_id),
      detail = jsonb_build_object('report_id', require_report_seen.report_id, 'seen',
        require_report_seen.seen -> 'report'),
      hint = format('Preview report #%s, and pass the token of that preview.', require_report_seen.report_id);
  end if;

  with moved as (
    select thing.kind, thing.id, thing.was_value, thing.now_value,
        row_number() over (
          order by array_position(array['report', 'simulation', 'version', 'cache_key'], thing.kind), length(thing.id),
            thing.id
        ) as place,
        case
          when thing.kind = 'report' then format('run %s -> %s', thing.was_value, thing.now_value)
          when thing.kind = 'cache_key' then 'the key of its cache rows is another'
          when thing.kind = 'version' then format('%s version %s -> %s', thing.id,
            coalesce(thing.was_value, 'none'), coalesce(thing.now_value, 'none'))
          when thing.was_value is null then format('%s #%s added', named.thing, thing.id)
          when thing.now_value is null then format('%s #%s removed', named.thing, thing.id)
          else format('%s #%s run %s -> %s', named.thing, thing.id, thing.was_value, thing.now_value)
        end as said
      from pgreprise.moved_things(require_report_seen.seen, require_report_seen.now) as thing
     cross join lateral (
       select case thing.kind when 'reform_impact' then 'cache row' else thing.kind end as thing
     ) as named
  )

  select jsonb_agg(jsonb_build_object('kind', moved.kind, 'id', moved.id, 'was', moved.was_value, 'is',
        moved.now_value) order by moved.place),
      string_agg(moved.said, ', ' order by moved.place) filter (where moved.place <= own.most_said)
        || case when count(*) > own.most_said then format(' and %s more', count(*) - own.most_said) else '' end
    into listed, said
    from moved;

  raise exception using
    errcode = 'RR029',
    message = format('Report #%s is not as the preview saw it: %s. Nothing was changed.',
      require_report_seen.report_id, said),
    detail = jsonb_build_object('report_id', require_report_seen.report_id, 'moved', listed),
    hint = 'Preview it again. If what you see is to be rerun, pass the token of that preview.';
end;
$$;

comment on function pgreprise.require_report_seen(jsonb, jsonb, bigint) is
'Refuses a rerun of a report that is not as a preview has seen it.';
