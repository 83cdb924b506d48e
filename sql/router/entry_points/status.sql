-- status(): what is installed on every server: the revisions that all of them have, and the lowest version that any of
-- them has of each routine.
-- Raises RR035 when a server cannot be reached.
create or replace function pgreprise.status()
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  merged jsonb;
begin
  with answers as materialized (
    select answer.answer
      from pgreprise_remote.status(pgreprise.caller()) as answer
     where pgreprise.is_answer(answer.refusal)
  )

  select jsonb_build_object(
        'revisions', (
          select coalesce(jsonb_agg(shared.revision order by shared.revision), '[]')
            from (
              select listed.revision
                from answers as answer
               cross join lateral jsonb_array_elements_text(answer.answer -> 'revisions') as listed(revision)
               group by listed.revision
              having count(*) = (select count(*) from answers)
            ) as shared
        ),
        'routines', (
          select coalesce(jsonb_object_agg(shared.name, shared.version), '{}')
            from (
              select listed.name, min(listed.version::integer) as version
                from answers as answer
               cross join lateral jsonb_each_text(answer.answer -> 'routines') as listed(name, version)
               group by listed.name
              having count(*) = (select count(*) from answers)
            ) as shared
        )
      )
    into merged;
  return merged;
exception
  when internal_error or connection_exception or admin_shutdown or crash_shutdown or cannot_connect_now then
    perform pgreprise.raise_server_away(sqlerrm);
    raise;
end;
$$;

comment on function pgreprise.status() is 'What is installed on every server.';

grant execute on function pgreprise.status()
to pgreprise_reader, pgreprise_api, pgreprise_dba, pgreprise_monitor, pgreprise_worker;
