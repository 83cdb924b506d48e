-- As procrastinate.sql, and the output is kept: it has no place for one, so a table of the application has it.
select id, status, task_name, priority, lock, queueing_lock, args, scheduled_at, queue_name, attempts, worker_id
  from procrastinate_fetch_job_v2(null::varchar[], :client_id::bigint + 1)
\gset
with kept as (
  update bench.report_output set status = 'complete', output = :output::json where id = :id::bigint returning id
)
select procrastinate_finish_job_v1(kept.id, 'succeeded', false) from kept;
