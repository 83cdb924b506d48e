-- A country without reports: the refusal is an answer here, so that pgbench goes on.
do $$ begin
  perform public.get_report(64, 'nowhere');
exception when sqlstate 'RR008' then null;
end $$;
