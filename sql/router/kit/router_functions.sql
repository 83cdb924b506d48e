-- router_functions: the functions of a router, made from the entry points of a shard. For each entry point there is a
-- function of PL/Proxy, in schema pgreprise_remote, that calls it on the server of a logical shard, or on all; and the
-- function or procedure of the same name and arguments in schema public, which says where, and raises what the shard
-- has refused. How an entry point is routed is said here, and only here:
--   report, simulation, rerun, claim: to the logical shard that the id tells
--   simulation_1: to that of the first simulation; population, region: to that of the population
--   any: to one server, as all have the same; home: to the server of logical shard 0, where the carbon domain is
--   all: to all servers at once; the query makes one answer of theirs
--   batch: as all, but a server that has no part of the batch says nothing
--   filter: as all, but each server gets its part of the filter of a batch
--   each: to one server after another, in a file of this folder
-- A query: it returns the name of the entry point and one statement, in the order in which they are run.
with routes (name, route, query) as (
  values
  ('act_counts', 'all', 'select answer.starts_at, answer.kind, sum(answer.acts)::bigint from answers as answer
     group by answer.starts_at, answer.kind order by answer.starts_at, answer.kind'),
  ('archive_retention', 'any', null),
  ('archive_size', 'all', 'select sum(answer.archived_reruns)::bigint, min(answer.archived_since),
      sum(answer.archived_bytes)::bigint, sum(answer.archive_bytes)::bigint, sum(answer.purgeable_reruns)::bigint,
      sum(answer.purgeable_outputs)::bigint, sum(answer.purgeable_bytes)::bigint, min(answer.purgeable_from),
      max(answer.purgeable_to)
    from answers as answer'),
  ('cache_versions', 'any', null),
  ('caller_scopes', 'any', null),
  ('cancel_rerun_batch', 'each', null),
  ('claim_report', 'each', null),
  ('create_rerun_batch', 'each', null),
  ('defect_counts', 'all', 'select answer.errcode, sum(answer.reports)::bigint, min(answer.example_report_id)
    from answers as answer group by answer.errcode order by answer.errcode'),
  ('delete_reform_impacts', 'region', null),
  ('example_reports', 'all', 'select distinct on (answer.report_type) answer.report_id, answer.country_id,
      answer.report_type
    from answers as answer order by answer.report_type desc, answer.report_id'),
  ('failed_cache_rows', 'all', 'select answer.* from answers as answer
    order by answer.report_id, answer.reform_impact_id'),
  ('feed_position', 'each', null),
  ('find_reports', 'all', 'select answer.* from answers as answer order by answer.id limit %limit%'),
  ('get_or_create_report', 'simulation_1', null),
  ('get_or_create_simulation', 'population', null),
  ('keep_feed_position', 'each', null),
  ('lost_runs', 'all', 'select answer.* from answers as answer order by answer.since nulls last, answer.report_id'),
  ('mismatched_cache_versions', 'all', 'select answer.country_id, answer.api_version, answer.current_version,
      sum(answer.cache_rows)::bigint, max(answer.newest_start_time), bool_or(answer.newer_than_current)
    from answers as answer
    group by answer.country_id, answer.api_version, answer.current_version
    order by answer.country_id, answer.api_version'),
  ('open_claims', 'all', 'select answer.* from answers as answer
    order by answer.report_id, answer.attempt limit %limit%'),
  ('purge_chunk', 'each', null),
  ('recent_cache_rows', 'all', 'select answer.cache_row from answers as answer
    order by (answer.cache_row ->> ''start_time'')::timestamp desc nulls last,
      (answer.cache_row ->> ''reform_impact_id'')::bigint desc
    limit least(greatest(coalesce(recent_cache_rows.max_rows, 100), 1), 1000)'),
  ('record_refusal', 'any', null),
  ('release_stuck_runs', 'each', null),
  ('report_counts', 'all', 'select answer.country_id, answer.status, sum(answer.reports)::bigint,
      min(answer.oldest_since)
    from answers as answer group by answer.country_id, answer.status
    order by answer.country_id,
      array_position(array[''pending'', ''running'', ''complete'', ''error''], answer.status)'),
  ('report_defects', 'all', 'select answer.* from answers as answer
    order by answer.report_id limit %limit%'),
  ('rerun_batch_chunk', 'each', null),
  ('rerun_batch_effects', 'each', null),
  ('rerun_batch_obstacles', 'batch', 'select answer.* from answers as answer
    order by answer.rerun_id desc limit %limit%'),
  ('rerun_batch_preview', 'filter', 'select answer.country_id, answer.report_type, answer.status, answer.errcode,
      sum(answer.reports)::bigint, min(answer.first_report_id)
    from answers as answer
    group by answer.country_id, answer.report_type, answer.status, answer.errcode
    order by answer.errcode nulls first, answer.country_id, answer.report_type, answer.status'),
  ('rerun_batch_refusals', 'batch', 'select answer.* from answers as answer
    order by answer.report_id limit %limit%'),
  ('rerun_batch_sharing', 'filter', 'select answer.* from answers as answer
    order by answer.report_id limit %limit%'),
  ('rerun_batches', 'each', null),
  ('rerun_feed', 'each', null),
  ('rerun_history', 'all', 'select answer.* from answers as answer
    order by answer.rerun_id desc limit %limit%'),
  ('rerun_metrics', 'all', 'select answer.metric, answer.labels,
      -- A batch has parts on several servers.
      case when answer.metric like ''%\_seconds'' or answer.metric like ''%\_batches\_%'' then max(answer.value)
        else sum(answer.value) end
    from answers as answer group by answer.metric, answer.labels order by answer.metric, answer.labels'),
  ('rerun_reports', 'each', null),
  ('run_table_differences', 'all', 'select answer.* from answers as answer order by answer.row_kind, answer.row_id'),
  ('set_cache_versions', 'each', null),
  ('set_setting', 'each', null),
  ('new_batch_id', 'each', null),
  ('settings', 'any', null),
  ('status', 'each', null),
  ('undo_batch_chunk', 'each', null)
),

routed as (
  select
    answered.*,
    registered.name as file,
    registered.version,
    registered.checksum,
    coalesce(
      known.route,
      case
        when registered.name like 'carbon/%' then 'home'
        when answered.argument_names[1] = 'report_id' then 'report'
        when answered.argument_names[1] = 'simulation_id' then 'simulation'
        when answered.argument_names[1] = 'rerun_id' then 'rerun'
        when answered.argument_names[1] = 'claim_id' then 'claim'
      end
    ) as route,
    known.query
  from pgreprise.answered_routines() as answered
  left join pgreprise.routine_version as registered
    on registered.routine = format('%s.%s', answered.schema_name, answered.name)
  left join routes as known on answered.name = known.name
),

texts as (
  select
    routed.*,
    case routed.route
      when 'report' then format('pgreprise.shard_of(''report'', %I.report_id)', routed.called)
      when 'simulation' then format('pgreprise.shard_of(''simulation'', %I.simulation_id)', routed.called)
      when 'simulation_1' then format('pgreprise.shard_of(''simulation'', %I.simulation_1_id)', routed.called)
      when 'rerun' then format('pgreprise.shard_of(''rerun'', %I.rerun_id)', routed.called)
      when 'claim' then format('coalesce(pgreprise.claim_shard(%I.claim_id), 0)', routed.called)
      when 'population' then format('coalesce(pgreprise.population_shard(%1$I.country_id, %1$I.population_id), 0)',
        routed.called)
      when 'region' then format('coalesce(pgreprise.population_shard(%1$I.country_id, %1$I.region), 0)', routed.called)
      when 'any' then 'floor(64 * random())::integer'
      when 'home' then '0'
    end as shard,
    (
      select coalesce(string_agg(format(', %I.%I', routed.called, given.name), '' order by given.position), '')
      from unnest(routed.argument_names) with ordinality as given (name, position)
    ) as arguments,
    (
      select coalesce(string_agg(format(', $%s', given.position + 2), '' order by given.position), '')
      from unnest(routed.argument_names) with ordinality as given (name, position)
    ) as passed,
    (
      select coalesce(string_agg(format(', $%s', given.position + 1), '' order by given.position), '')
      from unnest(routed.argument_names) with ordinality as given (name, position)
    ) as passed_to_all,
    (
      select coalesce(string_agg(', ' || given.type, '' order by given.position), '')
      from unnest(routed.argument_types) with ordinality as given (type, position)
    ) as types,
    (
      select string_agg(format('answer.%I', shown.name), ', ' order by shown.position)
      from unnest(routed.column_names) with ordinality as shown (name, position)
    ) as columns,
    (
      select string_agg(format('  %1$I := own.found.%1$I;', shown.name), e'\n' order by shown.position)
      from unnest(routed.column_names) with ordinality as shown (name, position)
    ) as assignments,
    (
      select coalesce(string_agg(format(', %I %s', shown.name, shown.type), '' order by shown.position), '')
      from unnest(routed.column_names, routed.column_types) with ordinality as shown (name, type, position)
    ) as answer_columns,
    case routed.volatility when 's' then 'stable' when 'i' then 'immutable' else 'volatile' end as volatility_name,
    pg_get_function_arguments(routed.routine_id) as declared,
    pg_get_function_result(routed.routine_id) as result,
    pg_get_function_identity_arguments(routed.routine_id) as identity,
    -- PL/Proxy sends dates and numbers as texts, which the server has to read as they were meant.
    -- A limit of 0 would ask no server, and none could refuse it.
    replace(
      routed.query, '%limit%',
      format('case when %1$I.max_rows < 1 then 1 else %1$I.max_rows end', routed.name)
    ) as merged,
    e'set datestyle = ''ISO''\nset intervalstyle = ''postgres''\nset extra_float_digits = 3\n' as written,
    routine.proretset as is_set,
    routine.prorettype = 'record'::regtype as is_record
  from (
    select
      found.*,
      case when found.kind = 'p' then 'routed_' || found.name else found.name end as called
    from routed as found
  ) as routed
  inner join pg_proc as routine on routed.routine_id = routine.oid
),

statements as (
  select
    texts.name,
    1 as position,
    format(
      e'create function pgreprise_remote.%1$I(logical_shard integer, caller jsonb%2$s)\n'
      'returns table (refusal jsonb%3$s)\nlanguage plproxy\n%5$s'
      'as $$\n  cluster ''pgreprise'';\n  run on $1;\n'
      '  select * from pgreprise_shard.%1$I($2%4$s);\n$$;',
      texts.name, texts.types, texts.answer_columns,
      (
        select coalesce(string_agg(format(', $%s', given.position + 2), '' order by given.position), '')
        from unnest(texts.argument_names) with ordinality as given (name, position)
      ),
      texts.written
    ) as statement
  from texts
  where texts.route not in ('all', 'batch')
  union all
  select
    texts.name,
    2,
    format(
      e'create function pgreprise_remote.%1$I(caller jsonb%2$s)\nreturns table (refusal jsonb%3$s)\nlanguage plproxy\n'
      '%5$sas $$\n  cluster ''pgreprise'';\n  run on all;\n  select * from pgreprise_shard.%1$I($1%4$s);\n$$;',
      texts.name, texts.types, texts.answer_columns, texts.passed_to_all, texts.written
    )
  from texts
  where texts.route in ('all', 'batch', 'each')
  union all
  -- What a procedure calls after it has refused a transaction block.
  select
    texts.name,
    3,
    format(
      e'create function pgreprise.%1$I(earlier jsonb, %2$s)\nreturns jsonb\nlanguage plpgsql\nsecurity definer\n'
      'set search_path = pg_catalog, pg_temp\nas $$\n<<own>>\ndeclare\n'
      '  shard constant integer := %3$s;\nbegin\n'
      '  return (\n    select answer.result\n      from pgreprise_remote.%4$I(own.shard, '
      'pgreprise.caller(own.shard, %1$I.earlier)%5$s) as answer\n     where pgreprise.is_answer(answer.refusal)\n  );\n'
      'exception\n  when internal_error or connection_exception or admin_shutdown or crash_shutdown '
      'or cannot_connect_now then\n'
      '    perform pgreprise.raise_server_away(sqlerrm, own.shard);\n    raise;\n'
      'end;\n$$;',
      texts.called,
      (
        select string_agg(format('%I %s', given.name, given.type), ', ' order by given.position)
        from unnest(texts.argument_names, texts.argument_types) with ordinality as given (name, type, position)
      ),
      texts.shard, texts.name, texts.arguments
    )
  from texts
  where texts.kind = 'p' and texts.route <> 'each'
  union all
  select
    texts.name,
    4,
    format(
      e'create procedure public.%1$I(%2$s)\nlanguage plpgsql\nas $$\ndeclare\n'
      '  -- The claims end with the transaction that the refusal of a transaction block ends.\n'
      '  earlier constant jsonb := pgreprise.caller();\nbegin\n'
      '  call pgreprise.refuse_transaction_block();\n'
      '  perform pg_catalog.set_config(''search_path'', ''pg_catalog, pg_temp'', true);\n'
      '  result := pgreprise.%3$I(earlier%4$s);\nend;\n$$;',
      texts.name, texts.declared, texts.called,
      (
        select string_agg(format(', %I.%I', texts.name, given.name), '' order by given.position)
        from unnest(texts.argument_names) with ordinality as given (name, position)
      )
    )
  from texts
  where texts.kind = 'p' and texts.route <> 'each'
  union all
  select
    texts.name,
    4,
    format(
      e'create function public.%1$I(%2$s)\nreturns %3$s\nlanguage plpgsql\n%4$s\nsecurity definer\n'
      'set search_path = pg_catalog, pg_temp\nas $$\n<<own>>\ndeclare\n  shard constant integer := %5$s;\n%7$sbegin\n'
      '  %6$s\nexception\n  when internal_error or connection_exception or admin_shutdown or crash_shutdown '
      'or cannot_connect_now then\n'
      '    perform pgreprise.raise_server_away(sqlerrm, own.shard);\n'
      '    raise;\nend;\n$$;',
      texts.name, texts.declared, texts.result, texts.volatility_name, texts.shard,
      case
        when texts.is_void then format(e'perform from pgreprise_remote.%1$I('
          'own.shard, pgreprise.caller(own.shard)%2$s) as answer\n    where pgreprise.is_answer(answer.refusal);',
          texts.name, texts.arguments)
        when texts.is_set then format(e'return query\n    select %3$s\n      from pgreprise_remote.%1$I(own.shard, '
          'pgreprise.caller(own.shard)%2$s) as answer\n     where pgreprise.is_answer(answer.refusal);', texts.name,
          texts.arguments, texts.columns)
        when texts.is_record then format(e'select %3$s into own.found\n    from pgreprise_remote.%1$I(own.shard, '
          'pgreprise.caller(own.shard)%2$s) as answer\n   where pgreprise.is_answer(answer.refusal);\n%4$s', texts.name,
          texts.arguments, texts.columns, texts.assignments)
        else format(e'return (\n    select answer.answer\n      from pgreprise_remote.%1$I(own.shard, '
          'pgreprise.caller(own.shard)%2$s) as answer\n     where pgreprise.is_answer(answer.refusal)\n  );',
          texts.name, texts.arguments)
      end,
      case when texts.is_record and not texts.is_set then e'  found record;\n' else '' end
    )
  from texts
  where texts.kind = 'f' and texts.route not in ('all', 'batch', 'filter', 'each')
  union all
  select
    texts.name,
    4,
    format(
      e'create function public.%1$I(%2$s)\nreturns %3$s\nlanguage plpgsql\n%4$s\nsecurity definer\n'
      'set search_path = pg_catalog, pg_temp\nas $$\nbegin\n%8$s  return query\n    with answers as materialized (\n'
      '      select %5$s\n        from %6$s\n       where %9$s\n    )\n    %7$s;\n'
      'exception\n  when internal_error or connection_exception or admin_shutdown or crash_shutdown '
      'or cannot_connect_now then\n'
      '    perform pgreprise.raise_server_away(sqlerrm);\n    raise;\nend;\n$$;',
      texts.name, texts.declared, texts.result, texts.volatility_name, texts.columns,
      case
        when texts.route = 'filter' then format(
          e'pgreprise.servers() as server\n       cross join lateral '
          'pgreprise.batch_filter_of(%1$I.filter, server.logical_shards) as part(filter)\n       cross join lateral '
          'pgreprise_remote.%1$I(server.logical_shard, pgreprise.caller()%2$s) as answer',
          texts.name, replace(texts.arguments, format('%I.filter', texts.name), 'part.filter')
        )
        else format('pgreprise_remote.%1$I(pgreprise.caller()%2$s) as answer', texts.name, texts.arguments)
      end,
      texts.merged,
      -- Where no server has a part of the batch, this says so.
      case when texts.route = 'batch' then format(e'  perform from public.rerun_batches(%I.batch_id);\n', texts.name)
        else '' end,
      case texts.route
        when 'batch' then 'case when answer.refusal ->> ''code'' = ''RR018'' then false '
          'else pgreprise.is_answer(answer.refusal) end'
        when 'filter' then format('(part.filter is not null or %I.filter is null) '
          'and pgreprise.is_answer(answer.refusal)', texts.name)
        else 'pgreprise.is_answer(answer.refusal)'
      end
    )
  from texts
  where texts.route in ('all', 'batch', 'filter')
)

select
  statements.name,
  statements.statement
from statements
union all
select
  texts.name,
  format(
    'insert into pgreprise.routed (name, version, checksum, route) values (%L, %s, %L, %L);',
    texts.name, coalesce(texts.version, 0), coalesce(texts.checksum, ''), coalesce(texts.route, 'none')
  )
from texts
order by 1, 2;
