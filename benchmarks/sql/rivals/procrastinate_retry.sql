-- procrastinate puts a job that failed back to be done: the statement of its job manager. It takes no job that
-- succeeded.
\set id permute(:first + :n * :clients + :client_id, :reports, 7) + 1
\set n :n + 1
select procrastinate_retry_job_v2(:id::bigint, now(), null::integer, null::varchar, null::varchar);
