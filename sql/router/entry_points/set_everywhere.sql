-- set_everywhere(what, routine, arguments): calls an entry point, which takes these texts, on all servers. First each
-- tries it and takes it back; only when all of them could do it, each does it: so one that is away, or refuses, changes
-- nothing anywhere. What is left is a server that is lost in the very moment between: then the error names those that
-- have done it and the one that has not. what is for that error.
-- Raises what the entry point raises, RR035 when a server cannot be reached.
create or replace function pgreprise.set_everywhere(what text, routine text, arguments text[])
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  statement constant text := format('select answer.refusal from pgreprise_remote.%I($1, $2%s) as answer',
    set_everywhere.routine, (
      select string_agg(format(', $3[%s]', place.number), '' order by place.number)
        from generate_subscripts(set_everywhere.arguments, 1) as place(number)
    ));
  server    record;
  refusal   jsonb;
  done      text[] := array[]::text[];
begin
  for server in
    select trial.is_trial, known.name, known.logical_shard
      from pgreprise.servers() as known
     cross join (values (true), (false)) as trial(is_trial)
     order by trial.is_trial desc, known.logical_shard
  loop
    begin
      execute statement into refusal
        using server.logical_shard, pgreprise.caller() || jsonb_build_object('is_trial', server.is_trial),
          set_everywhere.arguments;
    exception
      when internal_error or connection_exception or admin_shutdown or crash_shutdown or cannot_connect_now then
        if server.is_trial then
          perform pgreprise.raise_server_away(sqlerrm, server.logical_shard);
          raise;
        end if;
        perform pgreprise.raise_half_done(set_everywhere.what, done, server.name, null);
        raise;
    end;
    if server.is_trial then
      perform pgreprise.is_answer(refusal);
    elsif refusal is not null then
      perform pgreprise.raise_half_done(set_everywhere.what, done, server.name, refusal);
    else
      done := done || server.name;
    end if;
  end loop;
end;
$$;

comment on function pgreprise.set_everywhere(text, text, text[]) is
'Calls an entry point on all servers: tries it on each first.';
