-- What the stress test works on: 60 economy reports that share 12 simulations, 40 household reports that share 8, the
-- economy cache; and schema stress, in which every write of a result notes what it wrote, in its own transaction.
select public.set_cache_versions('us', economy_impact => 'e1', report_output => 'r1', package => '1.0.0');

-- What is lost or fails is tried again soon.
select public.set_setting('retry_wait', '1 second');

create schema stress;

create table stress.written (
  written_id bigint generated always as identity primary key,
  row_kind text not null,
  row_id bigint not null,
  run_sequence integer not null,
  checksum text not null
);
create index on stress.written (row_kind, row_id, run_sequence, written_id);

create table stress.cached (reform_impact_id bigint primary key, checksum text not null);

-- An output says whose it is.
create function stress.output(owner text, bytes integer) returns json language sql volatile as $$
  select json_build_object('owner', owner, 'values', left(repeat(md5(random()::text), bytes / 32 + 1), bytes))
$$;

-- What a worker does: hand in a result for a run, or without one; and note what was written.
create function stress.hand_in(row_kind text, row_id bigint, fenced boolean, bytes integer) returns void
language plpgsql as $$
declare
  output constant json := stress.output(row_kind || ' ' || row_id, bytes);
  fence integer;
  written_run integer;
begin
  if row_kind = 'report' then
    if fenced then
      select report.run_sequence into fence from public.report_outputs as report where report.id = row_id;
    end if;
    select stored.run_sequence into written_run
      from public.update_report(row_id, 'us', status => 'complete', output => output, run_sequence => fence) as stored;
  else
    if fenced then
      select simulation.run_sequence into fence from public.simulations as simulation where simulation.id = row_id;
    end if;
    select stored.run_sequence into written_run
      from public.update_simulation(row_id, 'us', status => 'complete', output => output, run_sequence => fence) as stored;
  end if;
  insert into stress.written (row_kind, row_id, run_sequence, checksum)
  values (row_kind, row_id, written_run, md5(output::text));
end $$;

-- Which claim finished which run of a report, as its worker was told.
create table stress.finished (report_id bigint not null, run_sequence integer not null, claim_id uuid not null);
create index on stress.finished (report_id, run_sequence);

-- What a worker does that has claimed a report: hand in a simulation (simulation_id), or the report.
create function stress.finish(claim_id uuid, simulation_id bigint, bytes integer) returns void language plpgsql as $$
declare
  target_id   bigint;
  written_run integer;
  output      json;
begin
  if simulation_id is not null then
    output := stress.output('simulation ' || simulation_id, bytes);
    select stored.run_sequence into written_run
      from public.finish_simulation(finish.claim_id, finish.simulation_id, output) as stored;
  else
    target_id := (select claim.report_id from pgreprise.claim as claim where claim.claim_id = finish.claim_id);
    output := stress.output('report ' || target_id, bytes);
    select stored.run_sequence into written_run from public.finish_report(finish.claim_id, output) as stored;
    insert into stress.finished values (target_id, written_run, finish.claim_id);
  end if;
  insert into stress.written (row_kind, row_id, run_sequence, checksum)
  values (case when simulation_id is null then 'report' else 'simulation' end, coalesce(simulation_id, target_id),
    written_run, md5(output::text));
end $$;

-- What the economy service does: write a cache row for the key of a report.
create function stress.cache(report_id bigint, bytes integer) returns void language plpgsql as $$
declare
  made_output constant json := stress.output('cache', bytes);
  made bigint;
begin
  insert into public.reform_impact
    (baseline_policy_id, reform_policy_id, country_id, region, dataset, time_period, options_json, options_hash,
     api_version, reform_impact_json, status, start_time, execution_id)
  select simulation_1.policy_id, coalesce(simulation_2.policy_id, simulation_1.policy_id), 'us',
      simulation_1.population_id, 'default', report.year, '{}', '[]', 'e1', made_output, 'ok', now()::timestamp, 'job'
    from public.report_outputs as report
    join public.simulations as simulation_1 on simulation_1.id = report.simulation_1_id
    left join public.simulations as simulation_2 on simulation_2.id = report.simulation_2_id
   where report.id = cache.report_id
  returning reform_impact_id into made;
  insert into stress.cached values (made, md5(made_output::text));
end $$;

-- The cache rows that a rerun of a report deletes.
create function stress.cache_rows(report_id bigint) returns bigint language sql stable as $$
  select count(*)
    from public.report_outputs as report
    join public.simulations as simulation_1 on simulation_1.id = report.simulation_1_id
    left join public.simulations as simulation_2 on simulation_2.id = report.simulation_2_id
    join public.reform_impact as impact
      on impact.country_id = 'us' and impact.baseline_policy_id = simulation_1.policy_id
     and impact.reform_policy_id = coalesce(simulation_2.policy_id, simulation_1.policy_id)
     and impact.region = simulation_1.population_id and impact.time_period = report.year
     and impact.dataset = 'default' and impact.options_hash = '[]' and impact.api_version = 'e1'
   where report.id = cache_rows.report_id and simulation_1.population_type = 'geography'
$$;

insert into public.simulations (country_id, api_version, population_id, population_type, policy_id)
select 'us', '1.0.0', 'state/' || number % 3, 'geography', number from generate_series(1, 12) as number
union all
select 'us', '1.0.0', number::text, 'household', number from generate_series(1, 8) as number;

insert into public.report_outputs (country_id, simulation_1_id, simulation_2_id, api_version, year)
select 'us', 1 + number % 4, case when number % 5 > 0 then 5 + number % 8 end, 'r1', (2020 + number / 20)::text
  from generate_series(1, 60) as number
union all
select 'us', 13 + number % 8, case when number % 3 > 0 then 13 + (number + number % 3) % 8 end, 'r1', '2025'
  from generate_series(1, 40) as number;

-- A result that compression cannot shorten much.
create function stress.fill(report_id bigint, bytes integer) returns void language plpgsql as $$
declare
  output constant json := json_build_object('owner', 'report ' || report_id,
    'values', (select string_agg(md5(random()::text), '') from generate_series(1, bytes / 32)));
  written_run integer;
begin
  -- As an application that does not know of finished runs.
  update public.report_outputs as report set status = 'running' where report.id = fill.report_id;
  select stored.run_sequence into written_run
    from public.update_report(report_id, 'us', status => 'complete', output => output) as stored;
  insert into stress.written (row_kind, row_id, run_sequence, checksum)
  values ('report', report_id, written_run, md5(output::text));
end $$;
