-- :finished messages in the archive and :pending in the queue.
select pgmq.create('reports');

insert into pgmq.a_reports (msg_id, vt, message)
select number, now(), bench.request(number) from generate_series(1, :finished) as number;

insert into pgmq.q_reports (msg_id, vt, message) overriding system value
select number, now(), bench.request(number) from generate_series(:finished + 1, :finished + :pending) as number;
