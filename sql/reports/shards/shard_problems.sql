-- shard_problems(): what is wrong with a shard, and the remedy: columns that get ids in another way again (a migration
-- of the application may bring that back), triggers that are missing, rows of logical shards that are not held here,
-- ids that tell another logical shard than that of their population, moves that stopped half-way. No row elsewhere.
create or replace function pgreprise.shard_problems()
returns table (problem text, remedy text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  first_id constant bigint := (select numbering.first_id from pgreprise.shard_numbering as numbering);
  listed   record;
begin
  if first_id is null then
    return;
  end if;

  for listed in
    select named.*, format('public.%I', named.table_name)::regclass as id
      from (values
        ('simulations', 'id', 'simulation', 'number_simulation', 'population_id'),
        ('report_outputs', 'id', 'report', 'number_report', null),
        ('reform_impact', 'reform_impact_id', 'reform_impact', 'number_reform_impact', 'region')
      ) as named(table_name, column_name, kind, function_name, population)
  loop
    return query
      select format('New rows of %s get ids that do not tell their logical shard: column %s has %s again.', listed.id,
            attribute.attname, case when attribute.atthasdef then 'a default' else 'an identity' end),
          format('alter table %s alter column %I drop %s;', listed.id, attribute.attname,
            case when attribute.atthasdef then 'default' else 'identity' end)
        from pg_attribute as attribute
       where attribute.attrelid = listed.id and attribute.attname = listed.column_name
         and (attribute.atthasdef or attribute.attidentity <> '');
    return query
      select format('Table %s lacks the trigger pgreprise_assign_id, or it is disabled: new rows get no id.',
            listed.id),
          format('drop trigger if exists pgreprise_assign_id on %1$s; create trigger pgreprise_assign_id before insert '
            'on %1$s for each row execute function pgreprise.%2$I();', listed.id, listed.function_name)
       where not exists (
         select from pg_trigger as own_trigger
          where own_trigger.tgrelid = listed.id and own_trigger.tgname = 'pgreprise_assign_id'
            and own_trigger.tgenabled in ('O', 'A')
       );
    return query execute format(
      'select format(''%%s of %1$s %%s to logical shard %%s, which this server does not hold.'', '
      'case counted.rows when 1 then ''1 row'' else counted.rows || '' rows'' end, '
      'case counted.rows when 1 then ''belongs'' else ''belong'' end, counted.logical_shard), '
      '''Nothing moves them. Delete them, or insert them without ids where the logical shard is: pgreprise shard map'' '
      'from (select found.logical_shard, count(*) as rows from ('
      'select (stored.%2$I & 63)::integer as logical_shard from %1$s as stored where stored.%2$I >= $1 '
      'union all select range.logical_shard from pgreprise.shard_id_range as range '
      'join %1$s as stored on stored.%2$I between range.first_id and range.last_id '
      'where range.kind = $2 and range.logical_shard not in ('
      'select known.logical_shard from pgreprise.logical_shard as known where known.state in (''held'', ''leaving''))'
      ') as found where found.logical_shard not in ('
      'select known.logical_shard from pgreprise.logical_shard as known where known.state in (''held'', ''leaving''))'
      ' group by found.logical_shard) as counted order by counted.logical_shard',
      listed.id, listed.column_name
    ) using first_id, listed.kind;
    if listed.population is not null then
      return query execute format(
        'select format(''%%s of %1$s %%s an id that tells another logical shard than the population, '
        'for example %%s.'', '
        'case counted.rows when 1 then ''1 row'' else counted.rows || '' rows'' end, '
        'case counted.rows when 1 then ''has'' else ''have'' end, counted.example), '
        '''Insert rows without ids, and give these rows others.'' '
        'from (select count(*) as rows, min(stored.%2$I) as example from %1$s as stored where stored.%2$I >= $1 '
        'and stored.%2$I & 63 <> pgreprise.population_shard(stored.country_id, stored.%3$I)) as counted '
        'where counted.rows > 0',
        listed.id, listed.column_name, listed.population
      ) using first_id;
    end if;
  end loop;

  return query
    select format('Logical shard %s has been leaving since %s. Its rows cannot be written.', known.logical_shard,
          known.changed_at),
        format('Go on with the move: pgreprise shard move %s --to its new server. With the name of this server it is '
          'given up.', known.logical_shard)
      from pgreprise.logical_shard as known
     where known.state = 'leaving'
     order by known.logical_shard;
end;
$$;

comment on function pgreprise.shard_problems() is 'What is wrong with a shard, and the remedy.';
