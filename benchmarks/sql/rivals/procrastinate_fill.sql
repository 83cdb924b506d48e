-- :pending jobs that failed, in procrastinate.
insert into procrastinate_jobs (queue_name, task_name, args, status, attempts)
select 'reports', 'compute', bench.request(number), 'failed', 1 from generate_series(1, :pending) as number;
