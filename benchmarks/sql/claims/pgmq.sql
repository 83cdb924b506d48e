-- Read a message for a minute, and archive it.
select * from pgmq.read('reports', 60, 1)
\gset
select pgmq.archive('reports', :msg_id::bigint);
