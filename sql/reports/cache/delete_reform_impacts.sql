-- delete_reform_impacts(key ..., api_version, statuses): deletes the economy cache rows of one key, and returns how
-- many. A null api_version means every version; null statuses mean every status (ok, error, computing). The legacy
-- helper deleted statuses => array['computing']. A null in the key itself finds no row.
-- The rows are archived, so that undo_rerun() can put them back.
-- Raises RR017 when the caller's token may not.
create or replace function public.delete_reform_impacts(
  country_id text,
  baseline_policy_id bigint,
  reform_policy_id bigint,
  region text,
  dataset text,
  time_period text,
  options_hash text,
  api_version text default null,
  statuses text[] default null
)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  cache_key    pgreprise.cache_key := row(
    delete_reform_impacts.country_id, delete_reform_impacts.baseline_policy_id,
    delete_reform_impacts.reform_policy_id, delete_reform_impacts.region, delete_reform_impacts.dataset,
    delete_reform_impacts.time_period, delete_reform_impacts.options_hash
  );
  kept_ids     bigint[] := array[]::bigint[];
  removed_ids  bigint[];
  removal_id   bigint;
  keep_outputs boolean;
begin
  perform pgreprise.enter('reports:rerun');

  removed_ids := array(
    select cached.reform_impact_id
      from pgreprise.report_cache_rows(own.cache_key, delete_reform_impacts.api_version,
        delete_reform_impacts.statuses) as cached
     order by cached.reform_impact_id
  );
  if cardinality(removed_ids) = 0 then
    return 0;
  end if;

  -- A worker may write a row, for example its status, while this waits for its lock, so ask again under the locks.
  perform from public.reform_impact as impact
    where impact.reform_impact_id = any (own.removed_ids)
    order by impact.reform_impact_id
      for update;
  removed_ids := array(
    select cached.reform_impact_id
      from pgreprise.report_cache_rows(own.cache_key, delete_reform_impacts.api_version,
        delete_reform_impacts.statuses) as cached
     where cached.reform_impact_id = any (own.removed_ids)
     order by cached.reform_impact_id
  );
  if delete_reform_impacts.statuses is not null then
    -- An undo has to know which other rows of the key are older than this deletion.
    kept_ids := array(
      select cached.reform_impact_id
        from pgreprise.report_cache_rows(own.cache_key) as cached
       where cached.status <> all (delete_reform_impacts.statuses)
       order by cached.reform_impact_id
    );
  end if;

  keep_outputs := (select setting.archive_outputs from pgreprise.setting as setting);
  removal_id := nextval('pgreprise.rerun_rerun_id_seq');
  removed_ids := pgreprise.remove_reform_impacts(removed_ids, removal_id, keep_outputs);
  if cardinality(removed_ids) > 0 then
    insert into pgreprise.rerun as act
      (rerun_id, kind, country_id, reform_impact_ids, kept_reform_impact_ids, removal_id, is_archived)
    values (removal_id, 'delete_reform_impacts', delete_reform_impacts.country_id, removed_ids, kept_ids, removal_id,
      keep_outputs);
  end if;
  return cardinality(removed_ids);
end;
$$;

comment on function public.delete_reform_impacts(text, bigint, bigint, text, text, text, text, text, text[]) is
'Deletes the economy cache rows of one key and returns how many; null api_version or statuses mean all.';

grant execute on function public.delete_reform_impacts(text, bigint, bigint, text, text, text, text, text, text[])
to pgreprise_dba;
