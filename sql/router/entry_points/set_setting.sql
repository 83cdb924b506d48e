-- set_setting(name, value): as on a server, on all of them: first each tries it and takes it back, then each does it
-- (see set_cache_versions).
-- Raises what it raises there, RR035 when a server cannot be reached.
create or replace function public.set_setting(name text, value text)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  server  record;
  refusal jsonb;
  done    text[] := array[]::text[];
begin
  for server in
    select trial.is_trial, known.name, known.logical_shard
      from pgreprise.servers() as known
     cross join (values (true), (false)) as trial(is_trial)
     order by trial.is_trial desc, known.logical_shard
  loop
    begin
      select answer.refusal into refusal
        from pgreprise_remote.set_setting(own.server.logical_shard,
          pgreprise.caller() || jsonb_build_object('is_trial', own.server.is_trial), set_setting.name,
          set_setting.value) as answer;
    exception
      when internal_error or admin_shutdown or crash_shutdown or cannot_connect_now then
        if server.is_trial then
          perform pgreprise.raise_server_away(sqlerrm, server.logical_shard);
          raise;
        end if;
        perform pgreprise.raise_half_done(format('Setting %s', set_setting.name), done, server.name, null);
        raise;
    end;
    if server.is_trial then
      perform pgreprise.is_answer(refusal);
    elsif refusal is not null then
      perform pgreprise.raise_half_done(format('Setting %s', set_setting.name), done, server.name, refusal);
    else
      done := done || server.name;
    end if;
  end loop;
end;
$$;
