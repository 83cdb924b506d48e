-- undo_batch_chunk(batch_id, before_rerun_id, force, chunk_size): undoes the next reruns of a batch, in one
-- transaction: the newest ones before before_rerun_id (null for the newest of all). undo_rerun_batch() and
-- `pgreprise undo --batch` call it repeatedly. Reruns that cannot be undone are listed and not changed.
-- Returns {"reruns": how many this chunk looked at, "undone", "refused": [{"rerun_id", "report_id", "errcode",
-- "message"}, ...], "before": the position for the next chunk}; 0 reruns when none is left.
-- Raises RR016 for a chunk_size that is not between 1 and 100000, RR017 when the caller's token may not, or may not
-- use force, RR018 no such batch.
create or replace function public.undo_batch_chunk(
  batch_id bigint, before_rerun_id bigint default null, force boolean default false, chunk_size integer default 100
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
<<own>>
declare
  acts    bigint[];
  act_id  bigint;
  undone  bigint := 0;
  refused jsonb := jsonb_build_array();
  constraint_of text;
  table_of      text;
  schema_of     text;
  message_of    text;
  context_of    text;
begin
  perform pgreprise.enter('reports:rerun');
  perform pgreprise.check_chunk_size(undo_batch_chunk.chunk_size);
  if undo_batch_chunk.force then
    perform pgreprise.require_scope('reports:admin');
  end if;
  perform pgreprise.require_batch(undo_batch_chunk.batch_id);

  acts := array(
    select act.rerun_id
      from pgreprise.rerun as act
     where act.batch_id = undo_batch_chunk.batch_id
       and act.undone_by is null
       and (undo_batch_chunk.before_rerun_id is null or act.rerun_id < undo_batch_chunk.before_rerun_id)
     order by act.rerun_id desc
     limit undo_batch_chunk.chunk_size
  );

  -- All locks are taken here, in the usual order; undoing one rerun after the other would take them in another.
  perform from public.report_outputs as report
    where report.id in (select act.report_id from pgreprise.rerun as act where act.rerun_id = any (own.acts))
    order by report.id
      for update;
  perform from public.simulations as simulation
    where simulation.id in (
      select linked.simulation_id
        from pgreprise.rerun as act
       cross join lateral unnest(act.simulation_ids) as linked(simulation_id)
       where act.rerun_id = any (own.acts)
    )
    order by simulation.id
      for update;

  foreach act_id in array acts loop
    begin
      perform pgreprise.undo_act(act_id, coalesce(undo_batch_chunk.force, false));
      -- What is deferred to the end of the transaction refuses this one only.
      set constraints all immediate;
      undone := undone + 1;
    exception
      when others then
        get stacked diagnostics
          constraint_of = constraint_name, table_of = table_name, schema_of = schema_name,
          message_of = message_text, context_of = pg_exception_context;
        if sqlstate not in ('RR010', 'RR014', 'RR021', 'RR022')
          and not pgreprise.is_refusal_of_host(sqlstate, context_of, schema_of, constraint_of, table_of)
        then
          raise;
        end if;
        refused := refused || jsonb_build_object('rerun_id', act_id, 'errcode', sqlstate, 'message', pgreprise.host_message(message_of, constraint_of),
          'report_id', (select act.report_id from pgreprise.rerun as act where act.rerun_id = own.act_id));
    end;
  end loop;

  return jsonb_build_object('reruns', cardinality(acts), 'undone', undone, 'refused', refused,
    'before', acts[cardinality(acts)]);
end;
$$;

comment on function public.undo_batch_chunk(bigint, bigint, boolean, integer) is
'Undoes the newest reruns of a batch before a position, in one transaction.';

grant execute on function public.undo_batch_chunk(bigint, bigint, boolean, integer) to pgreprise_dba;
