-- record_refusal(kind, errcode): counts that an act was refused. The transaction of a refused act is rolled back and
-- leaves nothing, so whoever has called it calls this afterwards, in a transaction of its own. act_counts() shows them.
-- kind is one of pgreprise.rerun, or batch; errcode is the SQLSTATE of the refusal, one of ours. It waits for the
-- counter for a second at most.
-- Raises RR016 when kind or errcode is none of these, RR017 when the caller's token may not rerun.
create or replace function public.record_refusal(kind text, errcode text)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  refused text;
  longest text;
begin
  perform pgreprise.enter('reports:rerun');
  -- A chunk of a batch holds a counter until it commits.
  longest := pgreprise.limit_lock_wait('1 second');
  refused := case
    when record_refusal.kind is null or record_refusal.kind not in ('rerun', 'reset_report', 'reset_simulation',
      'delete_reform_impacts', 'undo', 'cancel_run', 'release_run', 'batch')
      then format('There is no kind of act %s.', coalesce(to_json(left(record_refusal.kind, 100))::text, 'null'))
    when record_refusal.errcode is null or record_refusal.errcode !~ '^R[RC][0-9]{3}$'
      then format('The code %s is none of pgreprise.',
        coalesce(to_json(left(record_refusal.errcode, 100))::text, 'null'))
  end;
  if refused is not null then
    raise exception using
      errcode = 'RR016',
      message = refused,
      detail = jsonb_build_object('kind', left(record_refusal.kind, 100), 'errcode', left(record_refusal.errcode, 100)),
      hint = 'select record_refusal(''rerun'', ''RR002'')';
  end if;

  perform pgreprise.count_refusals(record_refusal.kind, record_refusal.errcode);
  perform set_config('lock_timeout', longest, true);
end;
$$;

comment on function public.record_refusal(text, text) is
'Counts that an act was refused; select record_refusal(''rerun'', ''RR002'').';

grant execute on function public.record_refusal(text, text) to pgreprise_api, pgreprise_dba;
