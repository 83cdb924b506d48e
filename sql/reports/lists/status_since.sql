-- status_since(status, pending_since, started_at, finished_at): since when a run of these times has its status: since
-- it is pending, since it was started where it is running, since it finished where it is complete or failed. Null
-- where nobody recorded that.
create or replace function pgreprise.status_since(
  status text, pending_since timestamptz, started_at timestamptz, finished_at timestamptz
)
returns timestamptz
language sql
immutable
begin atomic
  select case status_since.status
    when 'pending' then status_since.pending_since
    when 'running' then status_since.started_at
    else status_since.finished_at
  end as since;
end;

comment on function pgreprise.status_since(text, timestamptz, timestamptz, timestamptz) is
'Since when a run of these times has its status.';
