-- keep_claim_position(country_id, report_type, after_report_id, as_of): keeps where the next claim of the same
-- conditions goes on looking, at the time as_of; null for the beginning. It waits for nobody: where another worker
-- keeps its own at this moment, that one does.
create or replace function pgreprise.keep_claim_position(
  country_id text, report_type text, after_report_id bigint, as_of timestamptz
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if not pg_try_advisory_xact_lock('pgreprise.claim_position'::regclass::oid::integer,
    hashtext(keep_claim_position.country_id || ' ' || keep_claim_position.report_type))
  then
    return;
  end if;

  if keep_claim_position.after_report_id is null then
    delete from pgreprise.claim_position as position_of
     where position_of.country_id = keep_claim_position.country_id
       and position_of.report_type = keep_claim_position.report_type;
  else
    insert into pgreprise.claim_position as position_of (country_id, report_type, after_report_id, kept_at)
    values (keep_claim_position.country_id, keep_claim_position.report_type, keep_claim_position.after_report_id,
      keep_claim_position.as_of)
    on conflict on constraint claim_position_pkey do update
      set after_report_id = excluded.after_report_id, kept_at = excluded.kept_at;
  end if;
end;
$$;

comment on function pgreprise.keep_claim_position(text, text, bigint, timestamptz) is
'Keeps where the next claim of the same conditions goes on looking.';
