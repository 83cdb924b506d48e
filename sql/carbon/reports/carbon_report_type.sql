-- carbon_report_type(carbon_project_type): the report type of the number that clients send: 0 Calculator,
-- 1 Simulator_Explore, 2 Simulator_Plan.
-- Raises RC005 for any other number.
create or replace function pgreprise.carbon_report_type(carbon_project_type bigint)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  case carbon_report_type.carbon_project_type
    when 0 then return 'Calculator';
    when 1 then return 'Simulator_Explore';
    when 2 then return 'Simulator_Plan';
    else
      raise exception using
        errcode = 'RC005',
        message = format('%s is not a carbon project type.',
          coalesce(carbon_report_type.carbon_project_type::text, 'null')),
        detail = jsonb_build_object('carbon_project_type', carbon_report_type.carbon_project_type),
        hint = 'Use 0 for Calculator, 1 for Simulator_Explore or 2 for Simulator_Plan.';
  end case;
end;
$$;

comment on function pgreprise.carbon_report_type(bigint) is
'The report type of the number 0, 1 or 2 (RC005 for another number).';
