-- A job that fails: the statement of its worker, with an hour in place of seconds.
with j as (
  select jobs.id
    from graphile_worker._private_jobs as jobs
    where jobs.is_available = true and run_at <= now() and task_id = any('{1}'::int[])
    order by priority asc, run_at asc
    limit 1
    for update
    skip locked
)
  update graphile_worker._private_jobs as jobs
    set attempts = jobs.attempts + 1, locked_by = ('worker ' || :client_id)::text, locked_at = now()
    from j
    where jobs.id = j.id
    returning jobs.id
\gset
update graphile_worker._private_jobs as jobs
   set last_error = 'it failed', run_at = greatest(now(), run_at) + interval '1 hour',
       locked_by = null, locked_at = null
 where id = :id::bigint and locked_by = ('worker ' || :client_id)::text;
