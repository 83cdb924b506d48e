-- remove_reform_impacts(reform_impact_ids, removal_id, keep_outputs): delete economy cache rows by id and
-- archive them under removal_id. The caller holds their locks. Without keep_outputs nothing is archived.
create or replace function pgreprise.remove_reform_impacts(
  reform_impact_ids bigint[], removal_id bigint, keep_outputs boolean
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  known_columns constant integer := 16;
begin
  if not remove_reform_impacts.keep_outputs then
    delete from public.reform_impact as impact
     where impact.reform_impact_id = any (remove_reform_impacts.reform_impact_ids);
    return;
  end if;

  insert into pgreprise.reform_impact_archive as archived
    (removal_id, reform_impact_id, baseline_policy_id, reform_policy_id, country_id, region, dataset, time_period,
     options_json, options_hash, api_version, reform_impact_json, status, message, start_time, end_time, execution_id)
  select remove_reform_impacts.removal_id, impact.reform_impact_id, impact.baseline_policy_id, impact.reform_policy_id,
      impact.country_id, impact.region, impact.dataset, impact.time_period, impact.options_json, impact.options_hash,
      impact.api_version, impact.reform_impact_json, impact.status, impact.message, impact.start_time,
      impact.end_time, impact.execution_id
    from public.reform_impact as impact
   where impact.reform_impact_id = any (remove_reform_impacts.reform_impact_ids);

  -- A look at one catalog row; hardly any host has columns of its own here.
  if (select relation.relnatts from pg_class as relation where relation.oid = 'public.reform_impact'::regclass)
    > known_columns
  then
    perform pgreprise.archive_host_columns(remove_reform_impacts.removal_id,
      remove_reform_impacts.reform_impact_ids);
  end if;

  delete from public.reform_impact as impact
   where impact.reform_impact_id = any (remove_reform_impacts.reform_impact_ids);
end;
$$;

comment on function pgreprise.remove_reform_impacts(bigint[], bigint, boolean) is
'Deletes economy cache rows, which the caller has locked, and archives them.';
