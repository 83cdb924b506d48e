\set shard random(0, 63 / :step) * :step
\set id (:first + 2 * :reports + random(0, :reports - 1)) * 64 + :shard
call public.rerun_report(:id::bigint, 'us');
