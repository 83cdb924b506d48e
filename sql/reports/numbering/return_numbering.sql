-- return_numbering: gives the application's columns of a shard their old way to new ids back, above all ids that are
-- taken, and drops what numbered them. A downgrade does it before it drops the routines.
-- Raises 55000 when rows are on other servers, or kept of those that left; then nothing has changed.
do $$
declare
  given         record;
  sequence_name text;
begin
  if not exists (select from pgreprise.shard_numbering) then
    return;
  end if;
  if exists (select from pgreprise.logical_shard as known where known.state <> 'held') then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = 'The downgrade would give tables back that hold only some of the rows: this database is one of several '
        'servers.',
      detail = (
        select format('Not held here: logical shards %s.',
            string_agg(known.logical_shard::text, ', ' order by known.logical_shard))
          from pgreprise.logical_shard as known
         where known.state <> 'held'
      ),
      hint = 'Move all logical shards to this server first: pgreprise shard move';
  end if;
  for given in
    select own_trigger.tgname as name, own_trigger.tgrelid::regclass as table_name
      from pg_trigger as own_trigger
     where own_trigger.tgfoid in (to_regproc('pgreprise.refuse_moved_row'), to_regproc('pgreprise.number_simulation'),
       to_regproc('pgreprise.number_report'), to_regproc('pgreprise.number_reform_impact'))
  loop
    execute format('drop trigger %I on %s', given.name, given.table_name);
  end loop;
  for given in
    select listed.table_name, listed.column_name, found.statement
      from (values
        ('simulations', 'id'), ('report_outputs', 'id'), ('reform_impact', 'reform_impact_id')
      ) as listed(table_name, column_name)
      left join pgreprise.shard_default as found
        on found.table_name = listed.table_name and found.column_name = listed.column_name
  loop
    if given.statement is not null then
      execute given.statement;
      sequence_name := pgreprise.id_sequence(format('public.%I', given.table_name)::regclass, given.column_name)::text;
      if sequence_name is not null then
        execute format('select setval(%L, max(%I)) from public.%I', sequence_name, given.column_name, given.table_name);
      end if;
    end if;
  end loop;
end;
$$;
