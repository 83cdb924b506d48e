-- database_state: whether this server is a standby, whether a transaction may write here, whether it is one of several
-- servers, and whether the current role may act as the owner of the routines, as the role that migrates may. Where that
-- owner is missing, every role is taken for one that migrates: another check names it. A query: one row.
select
  pg_catalog.pg_is_in_recovery() as is_standby,
  current_setting('transaction_read_only') = 'on' as is_read_only,
  to_regclass('pgreprise.shard_ids_00') is not null as is_shard,
  not exists (
    select
      from pg_catalog.pg_roles as owner
     where owner.rolname = 'pgreprise_owner' and not pg_catalog.pg_has_role(owner.oid, 'member')
  ) as may_migrate;
