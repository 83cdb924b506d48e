-- claim_reports(worker, lease, country_id, report_type, report_id, max_reports, as_of): what claim_report() does, at
-- the time as_of. It first ends a few claims whose lease is over, so that no second process is needed.
-- Which reports it looks at: a few whose retry is due, the first ones by id, and then those behind the position where
-- an earlier claim of the same conditions found none that it could take (claim_position). It looks at a limited number.
create or replace function pgreprise.claim_reports(
  worker text,
  lease interval,
  country_id text,
  report_type text,
  report_id bigint,
  max_reports integer,
  as_of timestamptz
)
returns setof pgreprise.claim_row
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  -- How many reports are read at once, and how many one call looks at.
  page_size   constant integer := 16;
  most_looked constant integer := 208;
  key_country constant text := coalesce(claim_reports.country_id, '');
  key_type    constant text := coalesce(claim_reports.report_type, '');
  start_after bigint;
  after_id    bigint := 0;
  page_rows   integer;
  looked      integer := 0;
  claimed     integer := 0;
  due         record;
  pending     record;
  made        pgreprise.claim_row;
begin
  perform pgreprise.sweep_claims(3, claim_reports.as_of);

  if claim_reports.report_id is not null then
    made := pgreprise.try_claim(claim_reports.report_id, claim_reports.country_id,
      claim_reports.report_type, claim_reports.worker, claim_reports.lease, claim_reports.as_of);
    if made.claim_id is not null then
      return next made;
    end if;
    return;
  end if;

  for due in
    select retry.report_id, retry.run_sequence
      from pgreprise.retry as retry
     where retry.retry_at <= claim_reports.as_of
     order by retry.retry_at
     limit 4
  loop
    made := pgreprise.try_claim(due.report_id, claim_reports.country_id, claim_reports.report_type,
      claim_reports.worker, claim_reports.lease, claim_reports.as_of);
    if made.claim_id is not null then
      return next made;
      claimed := claimed + 1;
      if claimed = claim_reports.max_reports then
        return;
      end if;
    else
      perform pgreprise.forget_retry(due.report_id, due.run_sequence);
    end if;
  end loop;

  select position_of.after_report_id into start_after
    from pgreprise.claim_position as position_of
   where position_of.country_id = own.key_country
     and position_of.report_type = own.key_type
     and position_of.kept_at > claim_reports.as_of - interval '2 minutes';
  loop
    page_rows := 0;
    for pending in
      select next_report.report_id, next_report.run_sequence, next_report.simulation_1_id, next_report.simulation_2_id
        from pgreprise.pending_reports(claim_reports.country_id, own.after_id, own.page_size) as next_report
    loop
      page_rows := page_rows + 1;
      after_id := pending.report_id;
      continue when not pgreprise.looks_free(pending.report_id, pending.run_sequence, pending.simulation_1_id,
        pending.simulation_2_id, claim_reports.report_type, claim_reports.as_of);
      made := pgreprise.try_claim(pending.report_id, claim_reports.country_id, claim_reports.report_type,
        claim_reports.worker, claim_reports.lease, claim_reports.as_of);
      if made.claim_id is not null then
        return next made;
        claimed := claimed + 1;
        if claimed = claim_reports.max_reports then
          return;
        end if;
      end if;
    end loop;

    looked := looked + page_rows;
    if page_rows < page_size then
      -- This is the end. The next claim begins again.
      if start_after is not null then
        perform pgreprise.keep_claim_position(key_country, key_type, null, claim_reports.as_of);
      end if;
      return;
    end if;
    if looked >= most_looked then
      perform pgreprise.keep_claim_position(key_country, key_type, after_id, claim_reports.as_of);
      return;
    end if;
    -- The first ones have been looked at; those up to the position were looked at by an earlier claim.
    after_id := greatest(after_id, start_after);
  end loop;
end;
$$;

comment on function pgreprise.claim_reports(text, interval, text, text, bigint, integer, timestamptz) is
'Claims pending reports at a time; claim_report() calls it.';
