-- database_state: whether this server is a standby, and whether a transaction may write here. A query: one row.
select
  pg_catalog.pg_is_in_recovery() as is_standby,
  current_setting('transaction_read_only') = 'on' as is_read_only;
