-- archive_host_columns(removal_id, reform_impact_ids): adds the host's own columns, as text, to archived economy cache
-- rows whose originals are still in reform_impact. Hardly any host has such columns, so this is a routine of its own.
create or replace function pgreprise.archive_host_columns(removal_id bigint, reform_impact_ids bigint[])
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
-- These settings make sure that a value becomes text and the same value again, whatever the caller has set.
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set extra_float_digits = 1
as $$
begin
  perform from pgreprise.host_columns();
  if not found then
    return;
  end if;

  execute (
    select format(
        'update pgreprise.reform_impact_archive as archived '
        'set host_columns = jsonb_object(array[%s]) '
        'from public.reform_impact as impact '
        'where archived.removal_id = $1 and archived.reform_impact_id = any ($2) '
        'and impact.reform_impact_id = archived.reform_impact_id',
        string_agg(format('%L, impact.%I::text', host_column.column_name, host_column.column_name), ', '))
      from pgreprise.host_columns() as host_column
  )
  using archive_host_columns.removal_id, archive_host_columns.reform_impact_ids;
end;
$$;

comment on function pgreprise.archive_host_columns(bigint, bigint[]) is
'Adds the host''s own columns to archived economy cache rows.';
