-- undo_seen(act): what the token of a preview of an undo holds, and what has to be the same when the act is undone with
-- this token. This is the only place that says so: the runs of the report and the simulations now, the results that
-- would be overwritten, the reruns of the same batch that rely on it, what the application has written to its own
-- tables of runs, the newer economy cache rows, and the ids of deleted ones that other rows have.
-- Not in it: whether a worker has begun to compute. What the act has archived does not change.
-- Returns {"undo": {id: 1}, "report": {id: run}, "simulation": {id: run}, "result": {"report #4": status}, "rerun":
-- {id:
-- 1}, "host_run": {obstacle: 1}, "reform_impact": {id: 1}, "taken_id": {id: 1}}.
create or replace function pgreprise.undo_seen(act pgreprise.rerun)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    with found as (
      select * from pgreprise.undo_obstacles(undo_seen.act) as thing
    ),

    seen as (
      select found.kind, found.ids[1]::text as id, found.current_run::text as value
        from found
       where found.kind in ('report', 'simulation')
      union all
      select 'result', format('%s #%s', found.kind, found.ids[1]), found.status
        from found
       where found.kind in ('report', 'simulation') and found.has_result
      union all
      select 'host_run', found.host_obstacle, '1'
        from found
       where found.host_obstacle is not null
      union all
      select case found.kind when 'newer_rows' then 'reform_impact' when 'taken_rows' then 'taken_id'
            else found.kind end,
          thing.id::text, '1'
        from found
       cross join lateral unnest(found.ids) as thing(id)
       where found.kind not in ('report', 'simulation')
    )

    select jsonb_build_object('undo', jsonb_build_object((undo_seen.act).rerun_id, '1'))
      || coalesce(jsonb_object_agg(kinds.kind, kinds.things), '{}')
      from (
        select seen.kind, jsonb_object_agg(seen.id, seen.value) as things from seen group by seen.kind
      ) as kinds
  );
end;
$$;

comment on function pgreprise.undo_seen(pgreprise.rerun) is 'What the token of a preview of an undo holds.';
