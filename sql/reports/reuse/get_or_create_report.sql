-- get_or_create_report(country_id, simulation_1_id, simulation_2_id, year): the newest report with these simulations,
-- this year and the country's current report version; if there is none, it is created as pending. A null year means
-- the current calendar year (UTC).
-- If many callers ask at the same time, one row is created, at every isolation level. At repeatable read and
-- serializable a caller may get 40001; it finds the row when it tries again.
-- Returns (stored, created). select (found.stored).*, found.created
--   from get_or_create_report('us', 2, 3, year => '2026') as found;
-- Raises RR002, RR003, RR004, RR005 when the new report could never be computed, RR008 no such country, RR009 no
-- current report version, RR016 an impossible year or no simulation, RR017 the caller's token may not, RR022 when a
-- trigger of the host keeps the row, RR023 when a sequence is behind, 55P03 when another caller is about to create it
-- for too long.
create or replace function public.get_or_create_report(
  country_id text,
  simulation_1_id bigint,
  simulation_2_id bigint default null,
  year text default null,
  out stored pgreprise.report_row,
  out created boolean
)
returns record
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  wanted_year     text := coalesce(get_or_create_report.year, to_char(now() at time zone 'utc', 'YYYY'));
  report_version  text;
  economy_version text;
  linked          record;
  defect          record;
  newest_id       bigint;
  taken_key       text;
begin
  perform pgreprise.enter('reports:write');
  perform pgreprise.require_country(get_or_create_report.country_id);

  if get_or_create_report.simulation_1_id is null or length(wanted_year) not between 1 and 255 then
    raise exception using
      errcode = 'RR016',
      message = 'A report needs a simulation_1_id and a year of 1 to 255 characters.',
      detail = jsonb_build_object('simulation_1_id', get_or_create_report.simulation_1_id, 'year', wanted_year),
      hint = 'Leave the year out for the current calendar year.';
  end if;

  select country.report_output_version, country.economy_impact_version
    into report_version, economy_version
    from pgreprise.country as country
   where country.country_id = get_or_create_report.country_id;
  if report_version is null then
    perform pgreprise.raise_version_unknown(get_or_create_report.country_id, 'report_output');
  end if;

  newest_id := pgreprise.newest_report(get_or_create_report.country_id, get_or_create_report.simulation_1_id,
    get_or_create_report.simulation_2_id, wanted_year, report_version);
  created := newest_id is null;

  if created then
    linked := pgreprise.linked_simulations(get_or_create_report.country_id, get_or_create_report.simulation_1_id,
      get_or_create_report.simulation_2_id);

    -- A missing economy cache version (RR006) can be set later, so it does not stop a new report.
    select found_defect.errcode, found_defect.message, found_defect.detail, found_defect.hint
      into defect
      from pgreprise.report_defect(null, get_or_create_report.country_id, wanted_year,
        get_or_create_report.simulation_1_id, linked.population_type_1, get_or_create_report.simulation_2_id,
        linked.population_type_2, economy_version) as found_defect
     where found_defect.errcode <> 'RR006';
    if found then
      raise exception using
        errcode = defect.errcode, message = defect.message, detail = defect.detail, hint = defect.hint;
    end if;

    begin
      -- Callers for the same report wait for each other here. The second one goes on after the first has committed.
      insert into pgreprise.report_key as key (country_id, simulation_1_id, simulation_2_id, year, api_version)
      values (get_or_create_report.country_id, get_or_create_report.simulation_1_id,
        get_or_create_report.simulation_2_id, wanted_year, report_version)
      on conflict on constraint report_key_unique do update set year = excluded.year;

      newest_id := pgreprise.newest_report(get_or_create_report.country_id, get_or_create_report.simulation_1_id,
        get_or_create_report.simulation_2_id, wanted_year, report_version);
      created := newest_id is null;

      if created then
        insert into public.report_outputs as report
          (country_id, simulation_1_id, simulation_2_id, api_version, status, year)
        values (get_or_create_report.country_id, get_or_create_report.simulation_1_id,
          get_or_create_report.simulation_2_id, report_version, 'pending', wanted_year)
        returning report.id into newest_id;
      end if;
    exception
      when unique_violation then
        get stacked diagnostics taken_key = constraint_name;
        perform pgreprise.raise_sequence_behind('RR023', taken_key);
        raise;
      when lock_not_available then
        -- Another caller is about to create it.
        perform pgreprise.raise_lock_wait('report_outputs', '{}');
    end;
  end if;

  if created then
    if newest_id is null then
      perform pgreprise.raise_kept_rows('RR022', 'report_outputs', 1, 0);
    end if;
    perform pgreprise.skip_used_run_numbers(array[newest_id], '{}');
    if (select setting.has_run_tables from pgreprise.setting as setting) then
      perform pgreprise.add_host_runs('initial', array[newest_id]);
    else
      perform pgreprise.keep_creation('report', newest_id);
    end if;
    perform pgreprise.notify_workers();
  end if;

  select found_row.* into stored from pgreprise.stored_report(newest_id) as found_row;
end;
$$;

comment on function public.get_or_create_report(text, bigint, bigint, text) is
'The newest current report of one or two simulations and a year; it is created when there is none.';

grant execute on function public.get_or_create_report(text, bigint, bigint, text) to pgreprise_api, pgreprise_dba;
