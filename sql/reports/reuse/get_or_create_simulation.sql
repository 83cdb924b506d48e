-- get_or_create_simulation(country_id, population_id, population_type, policy_id): the newest simulation with these
-- values; if there is none, it is created as pending with the country's current package version.
-- If many callers ask at the same time, one row is created, at every isolation level. At repeatable read and
-- serializable a caller may get 40001; it finds the row when it tries again.
-- Returns (stored, created). select (found.stored).*, found.created
--   from get_or_create_simulation('us', 'state/ny', 'geography', 2) as found;
-- Raises RR004 unknown population type, RR008 no such country, RR009 no current package version, RR016 impossible
-- values, RR017 the caller's token may not, RR022 when a trigger of the host keeps the row, RR023 when a sequence is
-- behind, 55P03 when another caller is about to create it for too long.
create or replace function public.get_or_create_simulation(
  country_id text,
  population_id text,
  population_type text,
  policy_id bigint,
  out stored pgreprise.simulation_row,
  out created boolean
)
returns record
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  newest_id       bigint;
  package_version text;
  taken_key       text;
begin
  perform pgreprise.enter('reports:write');
  perform pgreprise.require_country(get_or_create_simulation.country_id);

  if get_or_create_simulation.population_type not in ('household', 'geography') then
    raise exception using
      errcode = 'RR004',
      message = format('Population type "%s" is neither household nor geography.',
        get_or_create_simulation.population_type),
      detail = jsonb_build_object('population_type', get_or_create_simulation.population_type),
      hint = 'Use household or geography.';
  end if;
  if coalesce(get_or_create_simulation.population_id, '') = ''
    or length(get_or_create_simulation.population_id) > 255
    or get_or_create_simulation.population_type is null
    or get_or_create_simulation.policy_id is null
    or get_or_create_simulation.policy_id not between -2147483648 and 2147483647
  then
    raise exception using
      errcode = 'RR016',
      message = 'A simulation needs a population_id of 1 to 255 characters, a population_type and a 32-bit policy_id.',
      detail = jsonb_build_object('population_type', get_or_create_simulation.population_type,
        'policy_id', get_or_create_simulation.policy_id),
      hint = 'Give all of them: the ids of the population and of the policy to simulate.';
  end if;

  newest_id := pgreprise.newest_simulation(get_or_create_simulation.country_id, get_or_create_simulation.population_id,
    get_or_create_simulation.population_type, get_or_create_simulation.policy_id);
  created := newest_id is null;

  if created then
    select country.package_version into package_version
      from pgreprise.country as country
     where country.country_id = get_or_create_simulation.country_id;
    if package_version is null then
      perform pgreprise.raise_version_unknown(get_or_create_simulation.country_id, 'package');
    end if;

    begin
      -- Callers for the same simulation wait for each other here. The second one goes on after the first has committed.
      insert into pgreprise.simulation_key as key (country_id, population_id, population_type, policy_id)
      values (get_or_create_simulation.country_id, get_or_create_simulation.population_id,
        get_or_create_simulation.population_type, get_or_create_simulation.policy_id)
      on conflict on constraint simulation_key_pkey do update set policy_id = excluded.policy_id;

      newest_id := pgreprise.newest_simulation(get_or_create_simulation.country_id,
        get_or_create_simulation.population_id, get_or_create_simulation.population_type,
        get_or_create_simulation.policy_id);
      created := newest_id is null;

      if created then
        insert into public.simulations as simulation
          (country_id, api_version, population_id, population_type, policy_id, status)
        values (get_or_create_simulation.country_id, package_version, get_or_create_simulation.population_id,
          get_or_create_simulation.population_type, get_or_create_simulation.policy_id, 'pending')
        returning simulation.id into newest_id;
      end if;
    exception
      when unique_violation then
        get stacked diagnostics taken_key = constraint_name;
        perform pgreprise.raise_sequence_behind('RR023', taken_key);
        raise;
      when lock_not_available then
        -- Another caller is about to create it.
        perform pgreprise.raise_lock_wait('simulations', '{}');
    end;
  end if;

  if created then
    if newest_id is null then
      perform pgreprise.raise_kept_rows('RR022', 'simulations', 1, 0);
    end if;
    perform pgreprise.skip_used_run_numbers('{}', array[newest_id]);
    if (select setting.has_run_tables from pgreprise.setting as setting) then
      perform pgreprise.add_host_runs('initial', '{}', array[newest_id]);
    else
      perform pgreprise.keep_creation('simulation', newest_id);
    end if;
  end if;

  select found_row.* into stored from pgreprise.stored_simulation(newest_id) as found_row;
end;
$$;

comment on function public.get_or_create_simulation(text, text, text, bigint) is
'The newest simulation of a country, population and policy; it is created when there is none.';

grant execute on function public.get_or_create_simulation(text, text, text, bigint) to pgreprise_api, pgreprise_dba;
