-- require_seen(seen, now, kind, id): refuses a rerun, or an undo (kind report or undo), when a preview has seen
-- something else than what is there now. seen is what read_seen() has read; now is what report_seen() or undo_seen()
-- makes of what the act has found under its locks. id is that of the report, or of the rerun that is undone.
-- Raises RR016 when the preview was of another one; RR029 when something has moved since. Then the message and the
-- detail name each thing: "moved" is a list of {"kind", "id", "was", "is"}.
create or replace function pgreprise.require_seen(seen jsonb, now jsonb, kind text, id bigint)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  most_said constant integer := 10;
  subject   constant text := case require_seen.kind when 'undo' then 'the undo of rerun' else 'report' end;
  id_name   constant text := case require_seen.kind when 'undo' then 'rerun_id' else 'report_id' end;
  others    text;
  listed    jsonb;
  said      text;
begin
  if require_seen.seen = require_seen.now then
    return;
  end if;

  if not (require_seen.seen -> require_seen.kind) ? require_seen.id::text then
    others := (select string_agg('#' || seen_one.id, ', ')
      from jsonb_object_keys(require_seen.seen -> require_seen.kind) as seen_one(id));
    raise exception using
      errcode = 'RR016',
      message = format('The value of seen is the token of a preview of %s %s, and not of %1$s #%3$s. '
        'Nothing was changed.', subject, coalesce(others, '?'), require_seen.id),
      detail = jsonb_build_object(id_name, require_seen.id, 'seen', require_seen.seen -> require_seen.kind),
      hint = format('Preview %s #%s, and pass the token of that preview.', subject, require_seen.id);
  end if;

  with moved as (
    select thing.kind, thing.id, thing.was_value, thing.now_value,
        row_number() over (
          order by array_position(array['report', 'simulation', 'result', 'version', 'cache_key'], thing.kind),
            length(thing.id), thing.id
        ) as place,
        case
          when thing.kind = 'report' and thing.was_value is not null and thing.now_value is not null
            then format('run %s -> %s', thing.was_value, thing.now_value)
          when thing.kind = 'result' then format('%s result %s -> %s', thing.id,
            coalesce(thing.was_value, 'none'), coalesce(thing.now_value, 'none'))
          when thing.kind = 'host_run'
            then case when thing.was_value is null then thing.id else format('no longer: %s', thing.id) end
          when thing.kind = 'cache_key' then 'the key of its cache rows is another'
          when thing.kind = 'version' then format('%s version %s -> %s', thing.id,
            coalesce(thing.was_value, 'none'), coalesce(thing.now_value, 'none'))
          when thing.was_value is null then format('%s #%s added', named.thing, thing.id)
          when thing.now_value is null then format('%s #%s removed', named.thing, thing.id)
          else format('%s #%s run %s -> %s', named.thing, thing.id, thing.was_value, thing.now_value)
        end as said
      from pgreprise.moved_things(require_seen.seen, require_seen.now) as thing
     cross join lateral (
       select case thing.kind when 'reform_impact' then 'cache row' when 'taken_id' then 'id of a cache row'
         else thing.kind end as thing
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
    message = format('%s #%s is not as the preview saw it: %s. Nothing was changed.',
      upper(left(subject, 1)) || substr(subject, 2), require_seen.id, said),
    detail = jsonb_build_object(id_name, require_seen.id, 'moved', listed),
    hint = format('Preview it again. If what you see is to be %s, pass the token of that preview.',
      case require_seen.kind when 'undo' then 'undone' else 'rerun' end);
end;
$$;

comment on function pgreprise.require_seen(jsonb, jsonb, text, bigint) is
'Refuses a rerun or an undo where something is not as a preview has seen it.';
