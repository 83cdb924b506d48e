-- new_batch_id(): the number of a batch that is about to be created. A router has taken one for all servers; it says so
-- with the setting pgreprise.batch_id, which counts only in a session of its role.
create or replace function pgreprise.new_batch_id()
returns bigint
language sql
volatile
begin atomic
  select case
    when not pgreprise.is_shard() then nextval('pgreprise.rerun_batch_batch_id_seq')
    when current_setting('pgreprise.batch_id', true) <> '' and pg_has_role(session_user, 'pgreprise_router', 'member')
      then current_setting('pgreprise.batch_id', true)::bigint
    else pgreprise.next_shard_id(null)
  end as batch_id;
end;

comment on function pgreprise.new_batch_id() is 'The number of a batch that is about to be created.';
