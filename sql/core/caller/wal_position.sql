-- wal_position(): how far this server has come in the write-ahead log, in bytes: the primary has written so far, a
-- standby has replayed so far. After a commit, a standby that has come to the primary's position shows what was
-- committed. An API compares them before it reads from a standby.
create or replace function pgreprise.wal_position()
returns bigint
language sql
volatile
begin atomic
  select (case
    when pg_is_in_recovery() then coalesce(pg_last_wal_replay_lsn(), '0/0')
    -- What was written without a commit is not sent before the next one, and nobody has to read it.
    when current_setting('synchronous_commit') <> 'off' then pg_current_wal_flush_lsn()
    else pg_current_wal_insert_lsn()
  end - '0/0')::bigint as wal_position;
end;

comment on function pgreprise.wal_position() is
'How far this server has written, or as a standby replayed, the write-ahead log, in bytes.';

grant execute on function pgreprise.wal_position() to pgreprise_reader, pgreprise_api, pgreprise_dba;
