-- count_refusals(kind, errcode, refusals, as_of): adds to the counter of refusals of this hour, kind and SQLSTATE. The
-- first refusal of an hour deletes the counters that are older than 30 days.
create or replace function pgreprise.count_refusals(
  kind text, errcode text, refusals bigint default 1, as_of timestamptz default now()
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  -- An hour of UTC: some zones are half an hour away.
  this_hour constant timestamptz := date_trunc('hour', count_refusals.as_of, 'UTC');
begin
  if not exists (select from pgreprise.refusal as counter where counter.hour = own.this_hour) then
    delete from pgreprise.refusal as counter
     using (
       select old.ctid as place
         from pgreprise.refusal as old
        where old.hour < own.this_hour - interval '30 days'
          for update skip locked
     ) as expired
     where counter.ctid = expired.place;
  end if;

  insert into pgreprise.refusal as counter (hour, kind, errcode, refusals)
  values (own.this_hour, count_refusals.kind, count_refusals.errcode, count_refusals.refusals)
  on conflict on constraint refusal_pkey do update set refusals = counter.refusals + excluded.refusals;
end;
$$;

comment on function pgreprise.count_refusals(text, text, bigint, timestamptz) is
'Adds to the counter of refusals of an hour, and deletes counters that are older than 30 days.';
