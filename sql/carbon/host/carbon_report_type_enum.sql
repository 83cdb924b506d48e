-- carbon_report_type_enum: the types of carbon projects. A type that exists already is kept as it is.
do $$
begin
  if to_regtype('public.carbon_report_type_enum') is null then
    create type public.carbon_report_type_enum as enum ('Calculator', 'Simulator_Explore', 'Simulator_Plan');
  end if;
end;
$$;
