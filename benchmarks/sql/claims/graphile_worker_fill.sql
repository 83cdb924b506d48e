-- :pending jobs; this queue deletes a job that is done.
select graphile_worker.add_job('compute', bench.request(number)::json) from generate_series(1, :pending) as number;
