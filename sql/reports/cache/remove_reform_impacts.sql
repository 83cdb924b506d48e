-- remove_reform_impacts(reform_impact_ids, removal_id, keep_outputs): locks economy cache rows in id order, archives
-- them under removal_id, and deletes them. Without keep_outputs it archives nothing. Returns the ids of the rows that
-- it deleted, in order: those that somebody else has deleted in the meantime are not among them.
-- Raises RR021 when rows of other tables would be lost with them, RR022 when a trigger of the host keeps one.
create or replace function pgreprise.remove_reform_impacts(
  reform_impact_ids bigint[], removal_id bigint, keep_outputs boolean
)
returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  known_columns constant integer := 16;
  removed_ids   bigint[];
  host_table    record;
  locked_rows   bigint;
  deleted       bigint;
begin
  -- One look at the catalog tells whether the host has added columns, or triggers or foreign keys, which is rare.
  select relation.relnatts > own.known_columns as has_more_columns, relation.relhastriggers as has_rules
    into host_table
    from pg_class as relation
   where relation.oid = 'public.reform_impact'::regclass;

  if host_table.has_rules then
    removed_ids := array(
      select impact.reform_impact_id::bigint
        from public.reform_impact as impact
       where impact.reform_impact_id = any (remove_reform_impacts.reform_impact_ids)
       order by impact.reform_impact_id
         for update
    );
    locked_rows := cardinality(removed_ids);
    perform pgreprise.raise_lost_rows('RR021', 'reform_impact', 'reform_impact_id', removed_ids::text[]);
  end if;

  if not remove_reform_impacts.keep_outputs then
    with locked as (
      select impact.reform_impact_id
        from public.reform_impact as impact
       where impact.reform_impact_id = any (remove_reform_impacts.reform_impact_ids)
       order by impact.reform_impact_id
         for update
    ),

    removed as (
      delete from public.reform_impact as impact
       where impact.reform_impact_id = any (array(select locked.reform_impact_id from locked))
      returning impact.reform_impact_id::bigint
    )

    select coalesce(array_agg(removed.reform_impact_id order by removed.reform_impact_id), '{}')
      into removed_ids
      from removed;
    if host_table.has_rules and cardinality(removed_ids) < locked_rows then
      perform pgreprise.raise_kept_rows('RR022', 'reform_impact', locked_rows, cardinality(removed_ids));
    end if;
    return removed_ids;
  end if;

  with archived as (
    insert into pgreprise.reform_impact_archive as archived
      (removal_id, reform_impact_id, baseline_policy_id, reform_policy_id, country_id, region, dataset, time_period,
       options_json, options_hash, api_version, reform_impact_json, status, message, start_time, end_time,
       execution_id)
    select remove_reform_impacts.removal_id, impact.reform_impact_id, impact.baseline_policy_id,
        impact.reform_policy_id, impact.country_id, impact.region, impact.dataset, impact.time_period,
        impact.options_json, impact.options_hash, impact.api_version, impact.reform_impact_json, impact.status,
        impact.message, impact.start_time, impact.end_time, impact.execution_id
      from public.reform_impact as impact
     where impact.reform_impact_id = any (remove_reform_impacts.reform_impact_ids)
     order by impact.reform_impact_id
       for update
    returning archived.reform_impact_id
  ),

  removed as (
    delete from public.reform_impact as impact
     where impact.reform_impact_id = any (array(select archived.reform_impact_id from archived))
       and not own.host_table.has_more_columns
    returning impact.reform_impact_id
  )

  select array(select archived.reform_impact_id from archived order by archived.reform_impact_id),
      (select count(*) from removed)
    into removed_ids, deleted;

  if host_table.has_more_columns then
    perform pgreprise.archive_host_columns(remove_reform_impacts.removal_id, removed_ids);
    delete from public.reform_impact as impact where impact.reform_impact_id = any (own.removed_ids);
    get diagnostics deleted = row_count;
  end if;
  if deleted < cardinality(removed_ids) then
    perform pgreprise.raise_kept_rows('RR022', 'reform_impact', cardinality(removed_ids), deleted);
  end if;
  return removed_ids;
end;
$$;

comment on function pgreprise.remove_reform_impacts(bigint[], bigint, boolean) is
'Locks, archives and deletes economy cache rows, and returns the ids of those that it deleted.';
