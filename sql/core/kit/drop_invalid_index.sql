-- drop_invalid_index(index_name): drops an index of schema public that a failed concurrent build
-- left invalid, so that the migration builds it anew (`if not exists` would keep the broken one).
-- Used by migrations only; returns whether it dropped one.
create or replace function pgreprise.drop_invalid_index(index_name text)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform from pg_index as index_entry
    join pg_class as index_relation on index_relation.oid = index_entry.indexrelid
    join pg_namespace as namespace on namespace.oid = index_relation.relnamespace
   where namespace.nspname = 'public'
     and index_relation.relname = drop_invalid_index.index_name
     and not index_entry.indisvalid;

  if found then
    execute format('drop index public.%I', drop_invalid_index.index_name);
  end if;
  return found;
end;
$$;

comment on function pgreprise.drop_invalid_index(text) is
'Migrations only: drops the named index of schema public if a failed build left it invalid.';
