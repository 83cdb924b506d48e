-- used_ids(): the greatest number that any row of reports, simulations, cache rows or acts has or had, also rows that
-- are deleted by now, and numbers that a sequence has given in vain; 0 where there is none.
create or replace function pgreprise.used_ids()
returns bigint
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  listed   record;
  largest  bigint;
  greatest_id bigint := 0;
begin
  for listed in
    select numbered.*
      from (values
        ('public.simulations', 'id'), ('public.report_outputs', 'id'), ('public.reform_impact', 'reform_impact_id'),
        ('pgreprise.simulation_run', 'simulation_id'), ('pgreprise.report_run', 'report_id'),
        ('pgreprise.reform_impact_archive', 'reform_impact_id'), ('pgreprise.rerun', 'rerun_id'),
        ('pgreprise.rerun_batch', 'batch_id')
      ) as numbered(table_name, column_name)
  loop
    execute format('select max(%I) from %s', listed.column_name, listed.table_name) into largest;
    greatest_id := greatest(greatest_id, largest,
      pg_sequence_last_value(pgreprise.id_sequence(listed.table_name::regclass, listed.column_name)));
  end loop;
  return greatest_id;
end;
$$;

comment on function pgreprise.used_ids() is 'The greatest number that a report, simulation, cache row or act has had.';
