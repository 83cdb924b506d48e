-- delete_reform_impacts(key ..., api_version, statuses): delete the economy cache rows of one key.
-- A null api_version means every version; null statuses mean every status (ok, error, computing);
-- statuses => array['computing'] is what the legacy helper did. A null in the key itself matches no row.
-- Returns how many rows it deleted.
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
  locked_ids bigint[];
begin
  perform pgreprise.bound_lock_wait();

  -- Locked in id order first: two deletes of overlapping keys must not wait for each other.
  locked_ids := array(
    select impact.reform_impact_id
      from public.reform_impact as impact
     where impact.country_id = delete_reform_impacts.country_id
       and impact.baseline_policy_id = delete_reform_impacts.baseline_policy_id
       and impact.reform_policy_id = delete_reform_impacts.reform_policy_id
       and impact.region = delete_reform_impacts.region
       and impact.dataset = delete_reform_impacts.dataset
       and impact.time_period = delete_reform_impacts.time_period
       and impact.options_hash = delete_reform_impacts.options_hash
       and (delete_reform_impacts.api_version is null or impact.api_version = delete_reform_impacts.api_version)
       and (delete_reform_impacts.statuses is null or impact.status = any (delete_reform_impacts.statuses))
     order by impact.reform_impact_id
       for update
  );

  delete from public.reform_impact as impact
   where impact.reform_impact_id = any (own.locked_ids);

  return cardinality(locked_ids);
end;
$$;

comment on function public.delete_reform_impacts(text, bigint, bigint, text, text, text, text, text, text[]) is
'Deletes the economy cache rows of one key and returns how many; null api_version or statuses mean all.';

grant execute on function public.delete_reform_impacts(text, bigint, bigint, text, text, text, text, text, text[])
to pgreprise_dba;
