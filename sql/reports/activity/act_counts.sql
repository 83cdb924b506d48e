-- act_counts(since, until, width): how many acts there were from since on and before until, by time and kind: one row
-- for each span of this width in which there were some. kind is that of rerun_history(), or refusal for acts and
-- reports of batches that were refused; those are counted by the hour (record_refusal) and shown in the span in which
-- the hour begins, or in the first. Spans of hours and days begin as those of UTC do. Changes nothing.
-- Raises RR016 when a time is not of the years 1 to 9999, when width is not an interval from 1 second to 365000 days
-- without months, or when there would be more than 1000 spans; RR017 when the caller's token may not read.
create or replace function public.act_counts(
  since timestamptz, until timestamptz default now(), width interval default '1 hour'
)
returns table (starts_at timestamptz, kind text, acts bigint)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
-- A day or all of them: each has another best plan.
set plan_cache_mode = 'force_custom_plan'
as $$
<<own>>
declare
  -- Weeks begin on Monday.
  origin constant timestamptz := timestamptz '2001-01-01 00:00:00+00';
  refused    text;
  first_span timestamptz;
begin
  perform pgreprise.enter('reports:read');
  refused := case
    when act_counts.since is null or act_counts.until is null
      or act_counts.since not between '0001-01-01 00:00:00+00' and '9999-12-31 00:00:00+00'
      or act_counts.until not between '0001-01-01 00:00:00+00' and '9999-12-31 00:00:00+00'
      then 'since and until must be times of the years 1 to 9999.'
    when act_counts.width is null or extract(month from act_counts.width) <> 0
      or extract(year from act_counts.width) <> 0
      or extract(epoch from act_counts.width) not between 1 and 365000 * 86400::bigint
      then 'width must be an interval from 1 second to 365000 days, without months.'
    when extract(epoch from act_counts.until) - extract(epoch from act_counts.since)
      > 1000 * extract(epoch from act_counts.width)
      then 'There would be more than 1000 spans of time.'
  end;
  if refused is not null then
    raise exception using
      errcode = 'RR016',
      message = refused,
      detail = jsonb_build_object('since', act_counts.since, 'until', act_counts.until, 'width', act_counts.width),
      hint = 'select * from act_counts(now() - interval ''1 day'', width => interval ''1 hour'')';
  end if;
  first_span := date_bin(act_counts.width, act_counts.since, own.origin);

  return query
    select date_bin(act_counts.width, act.created_at, own.origin) as span, act.kind, count(*)
      from pgreprise.rerun as act
     where act.created_at >= act_counts.since and act.created_at < act_counts.until
     group by span, act.kind
    union all
    select greatest(date_bin(act_counts.width, counter.hour, own.origin), own.first_span) as span, 'refusal',
        sum(counter.refusals)::bigint
      from pgreprise.refusal as counter
     where counter.hour + interval '1 hour' > act_counts.since and counter.hour < act_counts.until
     group by span
     order by 1, 2;
end;
$$;

comment on function public.act_counts(timestamptz, timestamptz, interval) is
'How many acts and refusals there were, by time and kind; select * from act_counts(now() - interval ''1 day'').';

grant execute on function public.act_counts(timestamptz, timestamptz, interval)
to pgreprise_reader, pgreprise_api, pgreprise_dba;
