-- delete_reform_impacts(key ..., api_version, statuses): delete the economy cache rows of one key.
-- A null api_version means every version; null statuses mean every status (ok, error, computing);
-- statuses => array['computing'] is what the legacy helper did. A null in the key itself matches no row.
-- The rows are archived, so that undo_rerun() can put them back. Returns how many rows it deleted.
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
declare
  spared_ids   bigint[] := array[]::bigint[];
  locked_ids   bigint[];
  removal_id   bigint;
  keep_outputs boolean;
begin
  perform pgreprise.enter('reports:rerun');

  -- So that an undo knows which rows beside the deleted ones are no newer than the deletion.
  if delete_reform_impacts.statuses is not null then
    spared_ids := array(
      select impact.reform_impact_id
        from public.reform_impact as impact
       where impact.country_id = delete_reform_impacts.country_id
         and impact.baseline_policy_id = delete_reform_impacts.baseline_policy_id
         and impact.reform_policy_id = delete_reform_impacts.reform_policy_id
         and impact.region = delete_reform_impacts.region
         and impact.dataset = delete_reform_impacts.dataset
         and impact.time_period = delete_reform_impacts.time_period
         and impact.options_hash = delete_reform_impacts.options_hash
         and impact.status <> all (delete_reform_impacts.statuses)
       order by impact.reform_impact_id
    );
  end if;

  locked_ids := pgreprise.lock_reform_impacts(delete_reform_impacts.country_id,
    delete_reform_impacts.baseline_policy_id, delete_reform_impacts.reform_policy_id, delete_reform_impacts.region,
    delete_reform_impacts.dataset, delete_reform_impacts.time_period, delete_reform_impacts.options_hash,
    delete_reform_impacts.api_version, delete_reform_impacts.statuses);

  if cardinality(locked_ids) > 0 then
    keep_outputs := pgreprise.setting('archive_outputs') = 'on';
    removal_id := nextval('pgreprise.rerun_rerun_id_seq');
    perform pgreprise.remove_reform_impacts(locked_ids, removal_id, keep_outputs);

    insert into pgreprise.rerun as act
      (rerun_id, kind, country_id, reform_impact_ids, spared_reform_impact_ids, removal_id, is_archived)
    values (removal_id, 'delete_reform_impacts', delete_reform_impacts.country_id, locked_ids, spared_ids, removal_id,
      keep_outputs);
  end if;
  return cardinality(locked_ids);
end;
$$;

comment on function public.delete_reform_impacts(text, bigint, bigint, text, text, text, text, text, text[]) is
'Deletes the economy cache rows of one key and returns how many; null api_version or statuses mean all.';

grant execute on function public.delete_reform_impacts(text, bigint, bigint, text, text, text, text, text, text[])
to pgreprise_dba;
