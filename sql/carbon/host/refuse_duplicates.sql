-- refuse_duplicates: stops the migration where find_duplicates, which runs before it, found any.
-- Raises RC007; the detail lists what it found.
do $$
declare
  duplicates constant jsonb := current_setting('pgreprise.duplicates')::jsonb;
begin
  if jsonb_array_length(duplicates) > 0 then
    raise exception using
      errcode = 'RC007',
      message = format('Carbon projects or reports exist more than once: %s keys. Nothing was changed.',
        jsonb_array_length(duplicates)),
      detail = jsonb_build_object('duplicates', duplicates),
      hint = '`pgreprise carbon duplicates` lists them with the SQL that resolves each. Then migrate again.';
  end if;
end;
$$;
