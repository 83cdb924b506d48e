-- lie_apart(simulation_1_id, simulation_2_id): whether two simulations lie in different logical shards, so that no
-- report can link them; false where the database is no shard, or where there is no second simulation.
-- Written in SQL so that PostgreSQL inlines it: elsewhere it costs nearly nothing.
create or replace function pgreprise.lie_apart(simulation_1_id bigint, simulation_2_id bigint)
returns boolean
language sql
stable
begin atomic
  select pgreprise.is_shard()
    and coalesce(
      pgreprise.id_shard('simulation', lie_apart.simulation_1_id)
      <> pgreprise.id_shard('simulation', lie_apart.simulation_2_id), false
    ) as lie_apart;
end;

comment on function pgreprise.lie_apart(bigint, bigint) is
'Whether two simulations lie in different logical shards.';
