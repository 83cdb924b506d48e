-- lock_reform_impacts(key ..., api_version, statuses): lock the economy cache rows of one key and return their
-- ids. In id order, so that two callers with overlapping keys never wait for each other in a circle.
-- A null api_version means every version, null statuses every status; a null in the key matches no row.
create or replace function pgreprise.lock_reform_impacts(
  country_id text,
  baseline_policy_id bigint,
  reform_policy_id bigint,
  region text,
  dataset text,
  time_period text,
  options_hash text,
  api_version text,
  statuses text[] default null
)
returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  return array(
    select impact.reform_impact_id
      from public.reform_impact as impact
     where impact.country_id = lock_reform_impacts.country_id
       and impact.baseline_policy_id = lock_reform_impacts.baseline_policy_id
       and impact.reform_policy_id = lock_reform_impacts.reform_policy_id
       and impact.region = lock_reform_impacts.region
       and impact.dataset = lock_reform_impacts.dataset
       and impact.time_period = lock_reform_impacts.time_period
       and impact.options_hash = lock_reform_impacts.options_hash
       and (lock_reform_impacts.api_version is null or impact.api_version = lock_reform_impacts.api_version)
       and (lock_reform_impacts.statuses is null or impact.status = any (lock_reform_impacts.statuses))
     order by impact.reform_impact_id
       for update
  );
end;
$$;

comment on function pgreprise.lock_reform_impacts(text, bigint, bigint, text, text, text, text, text, text[]) is
'Locks the economy cache rows of one key, in id order, and returns their ids.';
