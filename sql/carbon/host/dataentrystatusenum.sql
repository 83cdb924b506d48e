-- dataentrystatusenum: the status of an entry, as the carbon calculator has it. pgreprise writes PENDING for new
-- entries. A type that exists already is kept as it is.
do $$
begin
  if to_regtype('public.dataentrystatusenum') is null then
    create type public.dataentrystatusenum as enum ('PENDING', 'VALIDATED', 'REJECTED');
  end if;
end;
$$;
