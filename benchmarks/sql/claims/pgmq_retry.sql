-- A message that may be read again in an hour.
select * from pgmq.read('reports', 60, 1)
\gset
select pgmq.set_vt('reports', :msg_id::bigint, 3600);
