-- moved_things(was, now): what is different between two that report_seen(), undo_seen() or batch_seen() has made: kind,
-- id, and the value of each, which is null where it has no such thing.
create or replace function pgreprise.moved_things(was jsonb, now jsonb)
returns table (kind text, id text, was_value text, now_value text)
language sql
stable
begin atomic
  with was_thing as (
    select
      kind.key as kind,
      thing.key as id,
      thing.value
      from jsonb_each(moved_things.was) as kind
     cross join lateral jsonb_each_text(kind.value) as thing
  ),

  now_thing as (
    select
      kind.key as kind,
      thing.key as id,
      thing.value
      from jsonb_each(moved_things.now) as kind
     cross join lateral jsonb_each_text(kind.value) as thing
  )

  select
    coalesce(was_thing.kind, now_thing.kind) as kind,
    coalesce(was_thing.id, now_thing.id) as id,
    was_thing.value as was_value,
    now_thing.value as now_value
    from was_thing
    full join now_thing on was_thing.kind = now_thing.kind and was_thing.id = now_thing.id
   where was_thing.value is distinct from now_thing.value;
end;

comment on function pgreprise.moved_things(jsonb, jsonb) is 'What is different between what a preview saw and now.';
