-- adopt_run_sequence: may pgreprise add its column run_sequence to the tables of reports and simulations?
-- A host's own column of that name would be counted up by every rerun and dropped by a downgrade.
-- It only looks, and runs before anything changes.
-- Raises 55000 with each such column in the detail.
do $$
declare
  standing text;
begin
  select string_agg(format('public.%s: column run_sequence exists already', relation.relname), E'\n'
           order by relation.relname)
    into standing
    from pg_attribute as attribute
    join pg_class as relation on relation.oid = attribute.attrelid
   where relation.oid in (to_regclass('public.report_outputs'), to_regclass('public.simulations'))
     and attribute.attname = 'run_sequence' and not attribute.attisdropped;

  if standing is not null then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = 'pgreprise cannot number the runs of reports and simulations. Nothing was changed.',
      detail = standing,
      hint = 'Rename your column, then migrate again; pgreprise adds a column run_sequence of its own.';
  end if;
end;
$$;
