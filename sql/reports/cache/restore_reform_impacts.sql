-- restore_reform_impacts(removal_id, reform_impact_ids): puts archived economy cache rows back, with their ids and all
-- columns. They also stay in the archive until it is purged. A column that the host has added in the meantime gets its
-- default.
-- Raises RR022 when a trigger of the host keeps a row out.
create or replace function pgreprise.restore_reform_impacts(removal_id bigint, reform_impact_ids bigint[])
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
as $$
declare
  restored bigint;
begin
  -- The statement depends on the columns that the host's table has now.
  execute (
    select format(
        'insert into public.reform_impact '
        '(reform_impact_id, baseline_policy_id, reform_policy_id, country_id, region, dataset, time_period, '
        'options_json, options_hash, api_version, reform_impact_json, status, message, start_time, end_time, '
        'execution_id%s) overriding system value '
        'select archived.reform_impact_id, archived.baseline_policy_id, archived.reform_policy_id, '
        'archived.country_id, archived.region, archived.dataset, archived.time_period, archived.options_json, '
        'archived.options_hash, archived.api_version, archived.reform_impact_json, archived.status, '
        'archived.message, archived.start_time, archived.end_time, archived.execution_id%s '
        'from pgreprise.reform_impact_archive as archived '
        'where archived.removal_id = $1 and archived.reform_impact_id = any ($2)',
        string_agg(format(', %I', host_column.column_name), '' order by host_column.column_name),
        string_agg(format(', (archived.host_columns ->> %L)::%s', host_column.column_name, host_column.type_name), ''
          order by host_column.column_name))
      from pgreprise.host_columns() as host_column
     where exists (
       select from pgreprise.reform_impact_archive as archived
        where archived.removal_id = restore_reform_impacts.removal_id
          and archived.reform_impact_id = any (restore_reform_impacts.reform_impact_ids)
          and archived.host_columns ? host_column.column_name
     )
  )
  using restore_reform_impacts.removal_id, restore_reform_impacts.reform_impact_ids;
  get diagnostics restored = row_count;
  if restored < cardinality(restore_reform_impacts.reform_impact_ids) then
    perform pgreprise.raise_kept_rows('RR022', 'reform_impact',
      cardinality(restore_reform_impacts.reform_impact_ids), restored);
  end if;
end;
$$;

comment on function pgreprise.restore_reform_impacts(bigint, bigint[]) is
'Puts archived economy cache rows back with their ids.';
