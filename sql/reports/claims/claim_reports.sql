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
  page_ids    bigint[];
  free_ids    bigint[];
  next_id     bigint;
  looked      integer := 0;
  claimed     integer := 0;
  due         record;
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
    select coalesce(array_agg(pending.report_id order by pending.report_id), '{}'),
        coalesce(array_agg(pending.report_id order by pending.report_id) filter (where pending.looks_free), '{}')
      into page_ids, free_ids
      from pgreprise.pending_reports(claim_reports.country_id, claim_reports.report_type, own.after_id, own.page_size,
        claim_reports.as_of) as pending;
    foreach next_id in array free_ids loop
      made := pgreprise.try_claim(next_id, claim_reports.country_id, claim_reports.report_type,
        claim_reports.worker, claim_reports.lease, claim_reports.as_of);
      if made.claim_id is not null then
        return next made;
        claimed := claimed + 1;
        if claimed = claim_reports.max_reports then
          return;
        end if;
      end if;
    end loop;

    looked := looked + cardinality(page_ids);
    if cardinality(page_ids) < page_size then
      -- This is the end. The next claim begins again.
      if start_after is not null then
        perform pgreprise.keep_claim_position(key_country, key_type, null, claim_reports.as_of);
      end if;
      return;
    end if;
    after_id := page_ids[page_size];
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
