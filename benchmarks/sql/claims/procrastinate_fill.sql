-- :finished jobs that succeeded and, behind them, :pending to do; a worker for each client.
select procrastinate_register_worker_v1() from generate_series(1, 16);

insert into procrastinate_jobs (queue_name, task_name, args, status)
select 'reports', 'compute', bench.request(number), 'succeeded' from generate_series(1, :finished) as number;

insert into procrastinate_jobs (queue_name, task_name, args)
select 'reports', 'compute', bench.request(number) from generate_series(:finished + 1, :finished + :pending) as number;

insert into bench.report_output (id, status)
select number, 'pending' from generate_series(:finished + 1, :finished + :pending) as number;
