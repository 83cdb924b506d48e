-- delete_reform_impacts(key ..., api_version, statuses, reason): deletes the economy cache rows of one request, as a
-- rerun of a report with this key does, and returns how many. A null api_version means every version; null statuses
-- mean every status (ok, error, computing). A null in the key itself finds no row.
-- The rows are archived, so that undo_rerun() can put them back. The feed names the scope of each version that had
-- rows, and of the current version, for caches outside the database.
-- Raises RR016 for a reason that is too long, RR017 when the caller's token may not.
create or replace function public.delete_reform_impacts(
  country_id text,
  baseline_policy_id bigint,
  reform_policy_id bigint,
  region text,
  dataset text,
  time_period text,
  api_version text default null,
  statuses text[] default null,
  reason text default null
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
    delete_reform_impacts.time_period
  );
  kept_ids     bigint[] := array[]::bigint[];
  removed_ids  bigint[];
  scopes       jsonb;
  removal_id   bigint;
  keep_outputs boolean;
  taken_key    text;
begin
  perform pgreprise.enter('reports:rerun');

  removed_ids := array(
    select cached.reform_impact_id
      from pgreprise.report_cache_rows(own.cache_key, delete_reform_impacts.api_version,
        delete_reform_impacts.statuses) as cached
     order by cached.reform_impact_id
  );

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

  select coalesce(jsonb_agg(pgreprise.cache_scope(own.cache_key, emptied.version) order by emptied.version), '[]')
    into scopes
    from (
      select impact.api_version::text as version
        from public.reform_impact as impact
       where impact.reform_impact_id = any (own.removed_ids)
      union
      select coalesce(delete_reform_impacts.api_version, country.economy_impact_version)
        from pgreprise.country as country
       where country.country_id = delete_reform_impacts.country_id and delete_reform_impacts.statuses is null
    ) as emptied
   where emptied.version is not null;
  if scopes = '[]' then
    return 0;
  end if;

  keep_outputs := (select setting.archive_outputs from pgreprise.setting as setting);
  removal_id := pgreprise.new_act_id(
    pgreprise.population_shard(delete_reform_impacts.country_id, delete_reform_impacts.region));
  if cardinality(removed_ids) > 0 then
    removed_ids := pgreprise.remove_reform_impacts(removed_ids, removal_id, keep_outputs);
  end if;
  insert into pgreprise.rerun as act
    (rerun_id, kind, country_id, reform_impact_ids, kept_reform_impact_ids, removal_id, cache_scopes, is_archived,
     reason)
  values (removal_id, 'delete_reform_impacts', delete_reform_impacts.country_id, removed_ids, kept_ids, removal_id,
    scopes, keep_outputs, pgreprise.checked_reason(delete_reform_impacts.reason));
  return cardinality(removed_ids);
exception
  when lock_not_available then
    perform pgreprise.raise_report_wait('{}', '{}', removed_ids);
    raise;
  when unique_violation then
    get stacked diagnostics taken_key = constraint_name;
    perform pgreprise.raise_sequence_behind('RR023', taken_key);
    raise;
end;
$$;

comment on function public.delete_reform_impacts(text, bigint, bigint, text, text, text, text, text[], text) is
'Deletes the economy cache rows of one request and returns how many; null api_version or statuses mean all.';

grant execute on function public.delete_reform_impacts(text, bigint, bigint, text, text, text, text, text[], text)
to pgreprise_dba;
