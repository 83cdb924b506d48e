-- A worker is heard: procrastinate has one heartbeat for all jobs of a worker.
select procrastinate_update_heartbeat_v1(:client_id::bigint + 1);
