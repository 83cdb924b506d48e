-- rerun_batches(...): as on a server, each batch added up over all that have a part of it. It is open as long as one
-- part is.
-- Raises what it raises there, RR035 when a server cannot be reached.
create or replace function public.rerun_batches(
  batch_id bigint default null, before bigint default null, max_rows bigint default null, is_open boolean default false
)
returns table (
  id bigint,
  filter jsonb,
  reason text,
  state text,
  reports bigint,
  rerun bigint,
  refused bigint,
  remaining bigint,
  undone bigint,
  stands_still boolean,
  created_at timestamptz,
  progressed_at timestamptz,
  finished_at timestamptz,
  cancelled_at timestamptz,
  cancelled_by text,
  cancel_reason text,
  session_role text,
  role_setting text,
  actor text,
  request_id text,
  client_address text
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    with answers as materialized (
      -- A server that has no part of the batch refuses, and that is no refusal here.
      select answer.*
        from pgreprise_remote.rerun_batches(pgreprise.caller(), rerun_batches.batch_id, rerun_batches.before,
          -- A part that is open may be of an older batch.
          case when not rerun_batches.is_open then rerun_batches.max_rows end, false) as answer
       where answer.refusal ->> 'code' = 'RR018' or pgreprise.is_answer(answer.refusal)
    ),

    parts as (
      select answer.id, jsonb_agg(answer.filter) as filters, sum(answer.reports)::bigint as reports,
          sum(answer.rerun)::bigint as rerun, sum(answer.refused)::bigint as refused,
          sum(answer.remaining)::bigint as remaining, sum(answer.undone)::bigint as undone,
          min(answer.created_at) as created_at, max(answer.progressed_at) as progressed_at,
          case when bool_and(answer.finished_at is not null) then max(answer.finished_at) end as finished_at,
          case when not bool_or(answer.finished_at is null and answer.cancelled_at is null)
            then max(answer.cancelled_at) end as cancelled_at
        from answers as answer
       where answer.refusal is null
       group by answer.id
    )

    select part.id,
        case
          when part.filters -> 0 ? 'ids' then jsonb_set(part.filters -> 0, '{ids}', (
            select jsonb_agg(listed.id order by listed.id)
              from jsonb_array_elements(part.filters) as one(filter)
             cross join lateral jsonb_array_elements(case jsonb_typeof(one.filter -> 'ids')
               when 'array' then one.filter -> 'ids' else jsonb_build_array(one.filter -> 'ids') end) as listed(id)
          ))
          else part.filters -> 0
        end,
        first_part.reason,
        pgreprise.batch_state(part.reports, part.rerun, part.refused, part.finished_at, part.cancelled_at,
          part.undone),
        part.reports, part.rerun, part.refused, part.remaining, part.undone,
        pgreprise.batch_state(part.reports, part.rerun, part.refused, part.finished_at, part.cancelled_at,
          part.undone) = 'open' and coalesce(part.progressed_at, part.created_at) < now() - interval '1 hour',
        part.created_at, part.progressed_at, part.finished_at, part.cancelled_at, first_part.cancelled_by,
        first_part.cancel_reason, first_part.session_role, first_part.role_setting, first_part.actor,
        first_part.request_id, first_part.client_address
      from parts as part
     cross join lateral (
       select answer.* from answers as answer where answer.id = part.id order by answer.cancelled_at limit 1
     ) as first_part
     where not rerun_batches.is_open or (part.finished_at is null and part.cancelled_at is null)
     order by part.id desc
     limit rerun_batches.max_rows;

  if not found and rerun_batches.batch_id is not null then
    -- No server has a part of it: any of them says so.
    perform from pgreprise_remote.rerun_batches(0, pgreprise.caller(), rerun_batches.batch_id, null, null, false)
      as answer
      where pgreprise.is_answer(answer.refusal);
  end if;
exception
  when internal_error or connection_exception or admin_shutdown or crash_shutdown or cannot_connect_now then
    perform pgreprise.raise_server_away(sqlerrm);
    raise;
end;
$$;
