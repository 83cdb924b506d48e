-- rerun_batch_effects(filter): what a batch with this filter would change now: how many reports would be rerun and how
-- many refused, how many simulations would be reset and economy cache rows deleted, and how many other reports share
-- these (rerun_batch_sharing lists them). is_large: more than the setting largest_batch, so that people should give
-- their number. seen is a token of what was counted: create_rerun_batch(..., seen => ...) makes this very batch, or
-- refuses. Changes nothing and locks nothing.
-- Raises RR015 for a filter that cannot be used, RR017 when the caller's token may not read.
create or replace function public.rerun_batch_effects(filter jsonb)
returns table (
  reports bigint,
  refused bigint,
  simulations bigint,
  reform_impacts bigint,
  sharing_reports bigint,
  is_large boolean,
  seen text
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  listed_ids bigint[];
  linked     pgreprise.linked_report[];
  found_now  jsonb;
begin
  perform pgreprise.enter('reports:read');
  listed_ids := array(select pgreprise.batch_reports(rerun_batch_effects.filter));
  linked := array(select found_report from pgreprise.linked_reports(own.listed_ids) as found_report);
  found_now := pgreprise.batch_seen(rerun_batch_effects.filter, listed_ids, linked);

  return query
    select counted.reports - counted.refused, counted.refused, counted.simulations, counted.reform_impacts,
        (
          select count(*)
            from pgreprise.sharing_reports(array(
              select report from unnest(own.linked) as report where report.errcode is null
            ))
        ),
        pgreprise.is_large_batch(counted.reports),
        pgreprise.seen_token(own.found_now || jsonb_build_object('mark', pgreprise.batch_mark()))
      from jsonb_to_record(own.found_now -> 'count')
        as counted(reports bigint, refused bigint, simulations bigint, reform_impacts bigint);
end;
$$;

comment on function public.rerun_batch_effects(jsonb) is
'How many reports, simulations and cache rows a batch with this filter would change now, and who else shares them.';

grant execute on function public.rerun_batch_effects(jsonb) to pgreprise_reader, pgreprise_api, pgreprise_dba;
