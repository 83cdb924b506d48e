-- A job that fails and may be fetched again in an hour.
select id from procrastinate_fetch_job_v2(null::varchar[], :client_id::bigint + 1)
\gset
select procrastinate_retry_job_v2(:id::bigint, now() + interval '1 hour', null::integer, null::varchar, null::varchar);
