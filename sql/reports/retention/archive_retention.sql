-- archive_retention(is_required): the settings of how long the archive is kept, and what follows from them now: a purge
-- of outputs older than older_than leaves what both archive_keep and archive_keep_bytes allow, the newest outputs.
-- older_than is null where neither is set. The newest archive_keep_last runs of a report are kept all the same, so the
-- archive may stay larger than archive_keep_bytes. Changes nothing.
-- Raises RR017 when the caller's token may not read, and with is_required RR026 when neither setting is set.
create or replace function public.archive_retention(is_required boolean default false)
returns table (keep interval, keep_bytes bigint, keep_last integer, older_than interval)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  settings     record;
  newest_to_go timestamptz;
begin
  perform pgreprise.enter('reports:read');
  select setting.archive_keep, setting.archive_keep_bytes, setting.archive_keep_last
    into settings
    from pgreprise.setting as setting;
  if archive_retention.is_required and settings.archive_keep is null and settings.archive_keep_bytes is null then
    raise exception using
      errcode = 'RR026',
      message = 'Nothing says how long the archive is kept. Nothing was purged.',
      detail = jsonb_build_object(),
      hint = 'Set it: select set_setting(''archive_keep'', ''90 days''), or archive_keep_bytes.';
  end if;

  if settings.archive_keep_bytes is not null then
    -- From the newest output backwards: the first one that does not fit.
    select counted.created_at into newest_to_go
      from (
        select act.created_at, sum(held.bytes) over (order by act.created_at desc, act.rerun_id desc) as bytes
          from (
            select archived.rerun_id, sum(archived.bytes) as bytes
              from pgreprise.archived_outputs(array(
                select kept.rerun_id
                  from pgreprise.rerun as kept
                 where kept.is_archived and kept.purged_at is null
              )) as archived
             group by archived.rerun_id
          ) as held
          join pgreprise.rerun as act on act.rerun_id = held.rerun_id
      ) as counted
     where counted.bytes > own.settings.archive_keep_bytes
     order by counted.created_at desc
     limit 1;
  end if;

  -- A purge takes what is older than that.
  return query
    select own.settings.archive_keep, own.settings.archive_keep_bytes, own.settings.archive_keep_last,
        least(own.settings.archive_keep, case
          when own.newest_to_go is not null
            then greatest(now() - own.newest_to_go - interval '1 microsecond', interval '0')
          -- All of it fits.
          when own.settings.archive_keep_bytes is not null then interval '500 years'
        end);
end;
$$;

comment on function public.archive_retention(boolean) is
'How long the archive is kept, and from which age on a purge would have to delete outputs now.';

grant execute on function public.archive_retention(boolean) to pgreprise_reader, pgreprise_api, pgreprise_dba;
