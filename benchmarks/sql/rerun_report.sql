\set id permute(:first + :n * :clients + :client_id, :reports, 7) + 1
\set n :n + 1
call public.rerun_report(:id::bigint, 'us');
