-- load_sample: a few units with Calculator and explore reports, to try things with (`pgreprise sample load`).
-- The explore report of the first unit changed two days ago, so the first request for it causes a refresh.
-- Raises 55000, and changes nothing, when one of the tables holds rows.
-- The role that migrates runs it as one text, so it is one transaction. Returns one row a unit: unit_id,
-- institutional_id, name, shows.
do $$
declare
  filled      text;
  photonics   bigint;
  chemistry   bigint;
  guests      bigint;
  project     bigint;
  explored    bigint;
  reported    bigint;
  long_ago    constant timestamptz := now() - interval '2 days';
  sample      record;
  entry_id    bigint;
begin
  lock table public.units, public.carbon_projects, public.carbon_reports in share row exclusive mode;
  select string_agg(found.table_name, ', ') into filled
    from (
      select 'units' as table_name where exists (select from public.units)
      union all
      select 'carbon_projects' where exists (select from public.carbon_projects)
      union all
      select 'carbon_reports' where exists (select from public.carbon_reports)
    ) as found;
  if filled is not null then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = format('The sample needs empty tables, but these have rows: %s. Nothing was changed.', filled),
      hint = 'Load the sample into a database of its own.';
  end if;

  insert into public.units (institutional_id, name) values ('0184', 'Laboratory of Photonics')
  returning id into photonics;
  insert into public.units (institutional_id, name) values ('0207', 'Institute of Chemistry')
  returning id into chemistry;
  insert into public.units (name) values ('Guest house') returning id into guests;

  select ensured.carbon_project_id into project
    from pgreprise.ensure_carbon_projects(array[photonics], 'Simulator_Explore') as ensured;
  select created.id into explored
    from pgreprise.insert_carbon_reports(array[photonics], array[project], array[2025], array[null::bigint], long_ago)
      as created;
  select ensured.carbon_project_id into project
    from pgreprise.ensure_carbon_projects(array[photonics], 'Calculator') as ensured;
  perform pgreprise.insert_carbon_reports(array[photonics], array[project], array[2024], array[null::bigint]);
  select created.id into reported
    from pgreprise.insert_carbon_reports(array[photonics], array[project], array[2025], array[null::bigint]) as created;
  select ensured.carbon_project_id into project
    from pgreprise.ensure_carbon_projects(array[chemistry], 'Calculator') as ensured;
  perform pgreprise.insert_carbon_reports(array[chemistry], array[project], array[2025], array[null::bigint]);

  for sample in
    select listed.report_id, listed.module_type_id, listed.entry_type, listed.data, listed.emissions,
        module.id as module_id
      from (
        values
          (1, reported, 1, 1, '{"name": "Ada", "sius_code": "51", "fte": 1, "user_institutional_id": "100001"}',
            '[{"emission_type_id": 10001, "kg_co2eq": 120.5}, {"emission_type_id": 30004, "kg_co2eq": 300}]'),
          (2, reported, 1, 2, '{"fte": 6.5}',
            '[{"emission_type_id": 10001, "kg_co2eq": 783.25}, {"emission_type_id": 30004, "kg_co2eq": 1950}]'),
          (3, reported, 2, 20, '{"user_institutional_id": "100001", "origin_iata": "GVA", "destination_iata": "BOS",
            "cabin_class": "economy", "departure_date": "2025-03-04", "number_of_trips": 1, "note": null}',
            '[{"emission_type_id": 50203, "kg_co2eq": 1890, "additional_value": 11800}]'),
          (4, reported, 3, 30, '{"building_name": "A", "room_name": "A 204", "room_type": "office"}',
            '[{"emission_type_id": 6010101, "kg_co2eq": 612}]'),
          (5, explored, 2, 21, '{"user_institutional_id": "100001", "origin_name": "Geneva",
            "destination_name": "Paris", "cabin_class": "second", "departure_date": null, "number_of_trips": 1,
            "note": null}',
            '[{"emission_type_id": 50102, "kg_co2eq": 9.8}]')
      ) as listed(position, report_id, module_type_id, entry_type, data, emissions)
      join public.carbon_report_modules as module
        on module.carbon_report_id = listed.report_id and module.module_type_id = listed.module_type_id
     order by listed.position
  loop
    insert into public.data_entries (carbon_report_module_id, data_entry_type_id, data, status, created_at, updated_at)
    values (sample.module_id, sample.entry_type, sample.data::json, 'PENDING', long_ago at time zone 'UTC',
      long_ago at time zone 'UTC')
    returning id into entry_id;
    perform pgreprise.replace_emissions(entry_id, sample.entry_type, sample.emissions::jsonb, long_ago);
    perform pgreprise.record_module_change(sample.report_id, sample.module_type_id, long_ago);
  end loop;
  perform pgreprise.record_module_change(reported, module.type_id, long_ago, 2)
    from unnest(array[1, 2]) as module(type_id);

  -- The select below reads this.
  perform set_config('pgreprise.sample', jsonb_build_array(
    jsonb_build_object('unit_id', photonics, 'shows',
      'a stale explore report of 2025, Calculator reports of 2024 and 2025, the latter with two validated modules'),
    jsonb_build_object('unit_id', chemistry, 'shows', 'an empty Calculator report of 2025'),
    jsonb_build_object('unit_id', guests, 'shows', 'no institutional_id: only global roles have access')
  )::text, false);
end;
$$;

select
  unit.id as unit_id,
  unit.institutional_id,
  unit.name,
  example.shows
from jsonb_to_recordset(current_setting('pgreprise.sample')::jsonb) as example (unit_id bigint, shows text)
inner join public.units as unit on example.unit_id = unit.id
order by unit.id;
