-- A worker reads once, and keeps its message for another minute again and again.
\if :n = 0
select * from pgmq.read('reports', 60, 1)
\gset
\endif
\set n :n + 1
select * from pgmq.set_vt('reports', :msg_id::bigint, 60);
