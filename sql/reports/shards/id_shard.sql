-- id_shard(kind, id): the logical shard of a row, by its id; null where the database is no shard, or where the id is
-- null. kind is report, simulation, reform_impact or rerun.
create or replace function pgreprise.id_shard(kind text, id bigint)
returns integer
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  first_id constant bigint := (select numbering.first_id from pgreprise.shard_numbering as numbering);
begin
  if first_id is null or id_shard.id >= first_id then
    return case when first_id is not null then id_shard.id & 63 end;
  end if;
  return (
    select range.logical_shard
      from pgreprise.shard_id_range as range
     where range.kind = id_shard.kind and range.first_id <= id_shard.id
     order by range.first_id desc
     limit 1
  );
end;
$$;

comment on function pgreprise.id_shard(text, bigint) is 'The logical shard of a row, by its id, or null.';
