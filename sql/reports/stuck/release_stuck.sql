-- release_stuck(older_than, max_rows, country_id, dry_run, as_of): what release_stuck_runs() does, at the time as_of.
create or replace function pgreprise.release_stuck(
  older_than interval, max_rows integer, country_id text, dry_run boolean, as_of timestamptz
)
returns table (
  report_id bigint, country_id_of text, run_sequence integer, worker text, since timestamptz, result text
)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = 'off'
set jit = 'off'
as $$
<<own>>
declare
  -- A claim whose lease is over counts as stuck at once: its worker has said how long it may be silent.
  stuck      record;
  done       integer := 0;
  constraint_of text;
  table_of   text;
  schema_of  text;
  message_of text;
  context_of text;
begin
  for stuck in
    select claim.claim_id, claim.report_id, claim.country_id, claim.run_sequence, claim.worker, claim.claimed_at
      from pgreprise.claim as claim
     where claim.ended_at is null
       and claim.lease_until < release_stuck.as_of
       and (release_stuck.country_id is null or claim.country_id = release_stuck.country_id)
     order by claim.lease_until, claim.claim_id
     limit release_stuck.max_rows
  loop
    report_id := stuck.report_id;
    country_id_of := stuck.country_id;
    run_sequence := stuck.run_sequence;
    worker := stuck.worker;
    since := stuck.claimed_at;
    result := 'lease over';
    if not release_stuck.dry_run then
      result := coalesce((
        select swept.ended_as || coalesce(', ' || swept.status, '')
          from pgreprise.sweep_claim(stuck.claim_id, release_stuck.as_of) as swept
      ), 'locked');
    end if;
    done := done + 1;
    return next;
  end loop;

  worker := null;
  for stuck in
    select listed.* from pgreprise.stuck_runs(release_stuck.older_than, release_stuck.as_of,
      release_stuck.country_id) as listed
     limit release_stuck.max_rows - own.done
  loop
    report_id := stuck.report_id;
    country_id_of := stuck.country_id_of;
    run_sequence := stuck.run_sequence;
    since := stuck.since;
    begin
      result := case
        when stuck.since is null then 'unknown since when'
        when release_stuck.dry_run then 'to be released'
        else pgreprise.release_run(stuck.report_id, stuck.run_sequence)
      end;
    exception
      when others then
        get stacked diagnostics
          constraint_of = constraint_name, table_of = table_name, schema_of = schema_name,
          message_of = message_text, context_of = pg_exception_context;
        if sqlstate not in ('RR022', '22001')
          and not pgreprise.is_refusal_of_host(sqlstate, context_of, schema_of, constraint_of, table_of)
        then
          raise;
        end if;
        result := 'refused: ' || pgreprise.host_message(message_of, constraint_of);
    end;
    return next;
  end loop;
end;
$$;

comment on function pgreprise.release_stuck(interval, integer, text, boolean, timestamptz) is
'Puts stuck runs back to pending at a time; release_stuck_runs() calls it.';
