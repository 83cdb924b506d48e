-- set_cache_versions(...): as on a server, on all of them. First each tries it and takes it back; only when all of them
-- could do it, each does it: so one that is away, or refuses, changes nothing anywhere. What is left is a server that
-- is lost in the very moment between: then the error names those that have the versions and the one that has not.
-- Raises what it raises there, RR035 when a server cannot be reached.
create or replace function public.set_cache_versions(
  country_id text,
  economy_impact text default null,
  report_output text default null,
  package text default null
)
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
        from pgreprise_remote.set_cache_versions(own.server.logical_shard,
          pgreprise.caller() || jsonb_build_object('is_trial', own.server.is_trial), set_cache_versions.country_id,
          set_cache_versions.economy_impact, set_cache_versions.report_output, set_cache_versions.package) as answer;
    exception
      when internal_error or admin_shutdown or crash_shutdown or cannot_connect_now then
        if server.is_trial then
          perform pgreprise.raise_server_away(sqlerrm, server.logical_shard);
          raise;
        end if;
        perform pgreprise.raise_half_done(format('The versions of %s', set_cache_versions.country_id), done,
          server.name, null);
        raise;
    end;
    if server.is_trial then
      perform pgreprise.is_answer(refusal);
    elsif refusal is not null then
      perform pgreprise.raise_half_done(format('The versions of %s', set_cache_versions.country_id), done,
        server.name, refusal);
    else
      done := done || server.name;
    end if;
  end loop;
end;
$$;
