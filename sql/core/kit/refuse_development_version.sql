-- refuse_development_version: stops where the database was made by a development version of pgreprise from before
-- the first release, whose revisions no longer exist. Changes nothing.
-- Raises 55000.
do $$
begin
  if to_regclass('pgreprise.created_table') is not null or to_regclass('pgreprise.carbon_created') is not null then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = 'This database was made by a development version of pgreprise from before its first release, '
        'and cannot be migrated.',
      hint = 'Use a new database or a new folder (for the embedded server: mv .pgreprise .pgreprise-old), migrate '
        'it, and copy your reports into it.';
  end if;
end;
$$;
