-- set_co2_per_km(kg): changes what a car emits in one kilometre, by which get_results_summary turns kilograms into
-- kilometres. Returns what it was before.
-- Raises RR017 when the caller may not change settings, RC008 for a value that is not a positive number.
create or replace function public.set_co2_per_km(kg double precision)
returns double precision
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  before double precision;
begin
  perform pgreprise.enter('reports:admin');

  if set_co2_per_km.kg is null or not (set_co2_per_km.kg > 0 and set_co2_per_km.kg < 'infinity') then
    perform pgreprise.raise_invalid_carbon_value(
      format('A car cannot emit %s kg in one kilometre.', coalesce(set_co2_per_km.kg::text, 'null')),
      jsonb_build_object('kg', set_co2_per_km.kg::text), 'Give a positive number of kilograms.');
  end if;

  select setting.co2_per_km_kg into strict before from pgreprise.carbon_setting as setting for no key update;
  update pgreprise.carbon_setting as setting set co2_per_km_kg = set_co2_per_km.kg;
  return before;
end;
$$;

comment on function public.set_co2_per_km(double precision) is
'Changes what a car emits in one kilometre, in kilograms.';

grant execute on function public.set_co2_per_km(double precision) to pgreprise_dba;
