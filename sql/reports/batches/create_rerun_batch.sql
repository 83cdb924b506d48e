-- create_rerun_batch(filter, reason, expected_reports, seen, idempotency_key): lists the reports that a filter finds
-- now, for run_rerun_batch() to rerun. Reports that are created or changed later do not change the list. It reruns
-- nothing yet.
-- Returns the id of the batch.
-- filter: {"country": "us", "status": ["error", "pending"], "year": "2025", "api_version": "r147f26ed1", "report_type":
-- "geography", "ids": [2, 6]}; a report must meet every condition given. Ids that do not exist are listed, too, and
-- refused when the batch runs.
-- With expected_reports the filter must find exactly so many. They have to be given where it finds more than the
-- setting largest_batch. Or give seen, the token of a preview with this filter (rerun_batch_effects): then the batch is
-- refused when it would not be what the preview has seen; batch_seen() tells what counts.
-- With an idempotency_key the batch is created once: a second call with the same key and filter returns the id of the
-- first one and changes nothing, whatever has become of the batch.
-- Raises RR012 when the key was used for something else, RR015 for a filter that cannot be used, RR016 for a reason
-- that is too long, an impossible key or token of a preview, RR017 when the caller's token may not, RR024 when the
-- number of reports is not the expected one, or none was expected and there are many, RR029 when something has moved
-- since the preview, RR034 while a logical shard is leaving this server.
create or replace function public.create_rerun_batch(
  filter jsonb,
  reason text default null,
  expected_reports bigint default null,
  seen text default null,
  idempotency_key text default null
)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  made_id       bigint;
  used_id       bigint;
  listed        bigint;
  in_all        bigint;
  largest_batch bigint;
  taken_key     text;
  was_seen      jsonb;
  listed_ids    bigint[];
  linked        pgreprise.linked_report[];
begin
  perform pgreprise.enter('reports:rerun');
  made_id := pgreprise.new_batch_id();

  if create_rerun_batch.idempotency_key is not null then
    used_id := pgreprise.use_idempotency_key(create_rerun_batch.idempotency_key, 'rerun_batch', null, made_id);
    if used_id is not null then
      perform from pgreprise.rerun_batch as batch
        where batch.batch_id = own.used_id and batch.filter = create_rerun_batch.filter;
      if not found then
        raise exception using
          errcode = 'RR012',
          message = format('This idempotency key was used for batch #%s, which has another filter.', used_id),
          detail = jsonb_build_object('batch_id', used_id),
          hint = 'Nothing was changed. Use a new key for each batch.';
      end if;
      return used_id;
    end if;
  end if;

  -- batch_reports refuses a null with a better message than the table would.
  insert into pgreprise.rerun_batch as batch (batch_id, filter, reason)
  values (own.made_id, coalesce(create_rerun_batch.filter, 'null'),
    pgreprise.checked_reason(create_rerun_batch.reason));
  -- A move takes no open batch with it (begin_leaving).
  perform pgreprise.raise_shard_elsewhere(known.logical_shard)
    from pgreprise.logical_shard as known
   where known.state = 'leaving';
  insert into pgreprise.rerun_batch_item as item (batch_id, report_id)
  select own.made_id, listed_now.report_id
    from pgreprise.batch_reports(create_rerun_batch.filter) as listed_now(report_id);
  get diagnostics listed = row_count;
  -- Behind a router the numbers are those of all servers.
  in_all := listed + coalesce(nullif(current_setting('pgreprise.listed_elsewhere', true), ''), '0')::bigint;

  if create_rerun_batch.seen is not null then
    was_seen := pgreprise.read_seen(create_rerun_batch.seen, 'batch');
    listed_ids := array(
      select item.report_id from pgreprise.rerun_batch_item as item where item.batch_id = own.made_id
    );
    linked := array(select found_report from pgreprise.linked_reports(own.listed_ids) as found_report);
    perform pgreprise.require_batch_seen(
      was_seen,
      pgreprise.batch_seen(create_rerun_batch.filter, listed_ids, linked, pgreprise.seen_parts(was_seen)),
      listed_ids,
      array(
        select distinct used.simulation_id
          from unnest(own.linked) as report
         cross join lateral unnest(report.simulation_ids) as used(simulation_id)
      )
    );
  end if;

  largest_batch := (select setting.largest_batch from pgreprise.setting as setting);
  if in_all <> create_rerun_batch.expected_reports
    or (create_rerun_batch.expected_reports is null and create_rerun_batch.seen is null
      and pgreprise.is_large_batch(in_all))
  then
    raise exception using
      errcode = 'RR024',
      message = case
        when create_rerun_batch.expected_reports is null
          then format('The filter finds %s reports. Above %s their number has to be given.', in_all, largest_batch)
        else format('The filter finds %s reports, and not %s.', in_all, create_rerun_batch.expected_reports)
      end,
      detail = jsonb_build_object('reports', in_all, 'expected_reports', create_rerun_batch.expected_reports,
        'largest_batch', largest_batch),
      hint = format('Nothing was changed. If you want all of them: expected_reports => %1$s, or --expect %1$s',
        in_all);
  end if;

  update pgreprise.rerun_batch as batch
     set reports = own.listed, finished_at = case when own.listed = 0 then now() end
   where batch.batch_id = own.made_id;
  return made_id;
exception
  when unique_violation then
    get stacked diagnostics taken_key = constraint_name;
    perform pgreprise.raise_sequence_behind('RR023', taken_key);
    raise;
end;
$$;

comment on function public.create_rerun_batch(jsonb, text, bigint, text, text) is
'Lists the reports that a filter finds, for run_rerun_batch() to rerun; returns the id of the batch.';

grant execute on function public.create_rerun_batch(jsonb, text, bigint, text, text) to pgreprise_api, pgreprise_dba;
