-- rerun_preview(report_id, country_id): what rerun_report() would do now, one row for each thing that it would touch:
-- kind (report, simulation, reform_impact), id, status now, what would happen, the bytes of output that would be
-- archived, and shared_with: the other reports that use the same simulation or the same economy cache key.
-- Changes nothing and locks nothing.
-- A report that cannot be rerun gives one row with its defect in errcode, message and hint.
-- Raises RR001 no such report, RR008 no such country, RR017 the caller's token may not.
create or replace function public.rerun_preview(report_id bigint, country_id text default null)
returns table (
  kind text,
  id bigint,
  status text,
  action text,
  output_bytes bigint,
  shared_with bigint[],
  errcode text,
  message text,
  hint text
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  target          record;
  economy_version text;
  defect          record;
  economy_key     record;
  sharing_key     bigint[];
  keeps           boolean;
begin
  perform pgreprise.enter('reports:read', rerun_preview.country_id);
  keeps := pgreprise.setting('archive_outputs') = 'on';

  select report.id::bigint as id, report.country_id::text as country_id, report.status::text as status,
      report.output::text as output, report.year::text as year, report.simulation_1_id::bigint as simulation_1_id,
      report.simulation_2_id::bigint as simulation_2_id, report.run_sequence,
      simulation_1.population_type::text as population_type_1, simulation_1.population_id::text as region,
      simulation_1.policy_id::bigint as baseline_policy, simulation_2.population_type::text as population_type_2,
      simulation_2.policy_id::bigint as reform_policy
    into target
    from public.report_outputs as report
    left join public.simulations as simulation_1
      on simulation_1.id = report.simulation_1_id and simulation_1.country_id = report.country_id
    left join public.simulations as simulation_2
      on simulation_2.id = report.simulation_2_id and simulation_2.country_id = report.country_id
   where report.id = rerun_preview.report_id
     and (rerun_preview.country_id is null or report.country_id = rerun_preview.country_id);
  if not found then
    perform pgreprise.raise_report_not_found(rerun_preview.report_id, rerun_preview.country_id);
  end if;

  select country.economy_impact_version into economy_version
    from pgreprise.country as country
   where country.country_id = own.target.country_id;
  select found_defect.* into defect
    from pgreprise.report_defect(target.id, target.country_id, target.year, target.simulation_1_id,
      target.population_type_1, target.simulation_2_id, target.population_type_2, economy_version) as found_defect;
  if found then
    return query select 'report', own.target.id, own.target.status, 'nothing: the report cannot be rerun', 0::bigint,
        '{}'::bigint[], own.defect.errcode, own.defect.message, own.defect.hint;
    return;
  end if;

  return query
    select 'report', own.target.id, own.target.status, format('pending, as run %s', own.target.run_sequence + 1),
        case when own.keeps then coalesce(octet_length(own.target.output), 0) else 0 end::bigint, '{}'::bigint[],
        null::text, null::text, null::text;

  return query
    select 'simulation', simulation.id::bigint, simulation.status::text,
        format('pending, as run %s', simulation.run_sequence + 1),
        case when own.keeps then coalesce(octet_length(simulation.output::text), 0) else 0 end::bigint,
        array(
          select other.id::bigint
            from (
              select first_use.id
                from public.report_outputs as first_use
               where first_use.simulation_1_id = simulation.id
              union
              select second_use.id
                from public.report_outputs as second_use
               where second_use.simulation_2_id = simulation.id
            ) as other
           where other.id <> own.target.id
           order by other.id
        ),
        null::text, null::text, null::text
      from public.simulations as simulation
     where simulation.id in (own.target.simulation_1_id, own.target.simulation_2_id)
     order by simulation.id;

  if target.population_type_1 <> 'geography' then
    return;
  end if;

  select cache_key.* into economy_key
    from pgreprise.economy_cache_key(target.country_id, target.year, target.region, target.baseline_policy,
      target.reform_policy) as cache_key;

  -- The other reports whose cache rows these are, too: found by their first simulation, told by their key.
  sharing_key := array(
    select other.id::bigint
      from public.simulations as simulation_1
      join public.report_outputs as other
        on other.simulation_1_id = simulation_1.id and other.country_id = simulation_1.country_id
      left join public.simulations as simulation_2
        on simulation_2.id = other.simulation_2_id and simulation_2.country_id = other.country_id
     cross join lateral pgreprise.economy_cache_key(other.country_id, other.year, simulation_1.population_id,
       simulation_1.policy_id, simulation_2.policy_id) as other_key
     where simulation_1.country_id = own.economy_key.country_id
       and simulation_1.population_id = own.economy_key.region
       and simulation_1.population_type = 'geography'
       and simulation_1.policy_id = own.economy_key.baseline_policy_id
       and other.id <> own.target.id
       and (other_key.reform_policy_id, other_key.time_period)
         = (own.economy_key.reform_policy_id, own.economy_key.time_period)
       and not exists (
         select from pgreprise.report_defect(other.id, other.country_id, other.year, other.simulation_1_id,
           simulation_1.population_type, other.simulation_2_id, simulation_2.population_type, own.economy_version)
       )
     order by other.id
  );

  return query
    select 'reform_impact', impact.reform_impact_id::bigint, impact.status::text, 'deleted',
        case when own.keeps then coalesce(octet_length(impact.reform_impact_json::text), 0) else 0 end::bigint,
        own.sharing_key, null::text, null::text, null::text
      from public.reform_impact as impact
     where impact.country_id = own.economy_key.country_id
       and impact.baseline_policy_id = own.economy_key.baseline_policy_id
       and impact.reform_policy_id = own.economy_key.reform_policy_id
       and impact.region = own.economy_key.region
       and impact.dataset = own.economy_key.dataset
       and impact.time_period = own.economy_key.time_period
       and impact.options_hash = own.economy_key.options_hash
       and impact.api_version = own.economy_version
     order by impact.reform_impact_id;
end;
$$;

comment on function public.rerun_preview(bigint, text) is
'What a rerun of a report would touch, and which other reports share it; select * from rerun_preview(42).';

grant execute on function public.rerun_preview(bigint, text) to pgreprise_reader, pgreprise_api, pgreprise_dba;
