-- reform_impact_archive: economy cache rows that reruns deleted. Each column has the widest type that the column of
-- reform_impact may have, so that a row can be archived and put back unchanged, also after the host has widened a
-- column. Columns of the host that pgreprise does not know are kept as text in host_columns.
-- A row can be deleted and put back more than once; removal_id tells these deletions apart.
create table pgreprise.reform_impact_archive as
select
  null::bigint as removal_id,
  impact.reform_impact_id::bigint as reform_impact_id,
  impact.baseline_policy_id::bigint as baseline_policy_id,
  impact.reform_policy_id::bigint as reform_policy_id,
  impact.country_id::text as country_id,
  impact.region::text as region,
  impact.dataset::text as dataset,
  impact.time_period::text as time_period,
  impact.options_json::json as options_json,
  impact.options_hash::text as options_hash,
  impact.api_version::text as api_version,
  impact.reform_impact_json::json as reform_impact_json,
  impact.status::text as status,
  impact.message::text as message,
  impact.start_time,
  impact.end_time,
  impact.execution_id::text as execution_id,
  null::jsonb as host_columns
from public.reform_impact as impact
with no data;

alter table pgreprise.reform_impact_archive
add constraint reform_impact_archive_pkey primary key (reform_impact_id, removal_id);

comment on table pgreprise.reform_impact_archive is 'Economy cache rows that reruns deleted, until they are purged.';

grant select, insert, update, delete on table pgreprise.reform_impact_archive to pgreprise_owner;
