-- refuse_duplicates: stops the migration when find_duplicates, which runs before it, found any.
-- Raises RC007; the detail lists them.
do $$
declare
  duplicates constant jsonb := current_setting('pgreprise.duplicates')::jsonb;
begin
  if jsonb_array_length(duplicates) > 0 then
    raise exception using
      errcode = 'RC007',
      message = format('Carbon projects or reports exist more than once (%s). Nothing was changed.',
        case jsonb_array_length(duplicates) when 1 then '1 key' else jsonb_array_length(duplicates) || ' keys' end),
      detail = jsonb_build_object('duplicates', duplicates),
      hint = 'Resolve them with the SQL that `pgreprise carbon duplicates` lists. Then migrate again.';
  end if;
end;
$$;
