-- raise_not_found(kind, id, country_id): refuses because there is no report, simulation, rerun or batch (kind) with
-- this id, or none of that country where one is given.
-- Raises RR001 for a report, RR007 for a simulation, RR013 for a rerun, RR018 for a batch; always.
create or replace function pgreprise.raise_not_found(kind text, id bigint, country_id text default null)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  shard constant integer := case
    when raise_not_found.kind <> 'batch' then pgreprise.id_shard(raise_not_found.kind, raise_not_found.id)
  end;
begin
  -- It may have left between the caller's first look and this one.
  if exists (
    select from pgreprise.logical_shard as known
     where known.logical_shard = own.shard and known.state in ('left', 'absent')
  ) then
    perform pgreprise.raise_shard_elsewhere(shard);
  end if;
  raise exception using
    errcode = case raise_not_found.kind
      when 'report' then 'RR001'
      when 'simulation' then 'RR007'
      when 'rerun' then 'RR013'
      when 'batch' then 'RR018'
    end,
    message = format('%s #%s not found.', initcap(raise_not_found.kind), coalesce(raise_not_found.id::text, 'null')),
    detail = jsonb_build_object(raise_not_found.kind || '_id', raise_not_found.id)
      || jsonb_strip_nulls(jsonb_build_object('country_id', raise_not_found.country_id)),
    hint = case
      when raise_not_found.country_id is not null
        then format('Check the id and the country: a %s is found in its own country only.', raise_not_found.kind)
      when raise_not_found.kind = 'report' then 'select id from public.report_outputs lists the reports that exist.'
      when raise_not_found.kind = 'simulation'
        then 'select id from public.simulations lists the simulations that exist.'
      when raise_not_found.kind = 'rerun' then 'select * from report_history(<report_id>) lists the reruns of a report.'
      when raise_not_found.kind = 'batch' then 'select * from rerun_batches() lists the batches that exist.'
    end;
end;
$$;

comment on function pgreprise.raise_not_found(text, bigint, text) is 'Raises RR001, RR007, RR013 or RR018.';
