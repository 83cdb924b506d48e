-- count_batch_refusals(refused): counts the reports that a chunk of a batch refused: [{"errcode", ...}, ...]. The chunk
-- does not depend on it: where somebody holds a counter for a second, or has changed it in a transaction that this one
-- cannot see, these refusals are not counted. They stand in the batch all the same.
create or replace function pgreprise.count_batch_refusals(refused jsonb)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  former text;
begin
  former := pgreprise.limit_lock_wait('1 second');
  begin
    -- In one order, so that no two chunks wait for each other.
    perform pgreprise.count_refusals('batch', refusal.errcode, count(*))
       from jsonb_to_recordset(count_batch_refusals.refused) as refusal(errcode text)
      group by refusal.errcode
      order by refusal.errcode;
  exception
    when lock_not_available or serialization_failure then
      null;
  end;
  perform set_config('lock_timeout', former, true);
end;
$$;

comment on function pgreprise.count_batch_refusals(jsonb) is
'Counts the reports that a chunk of a batch refused, where nobody holds a counter.';
