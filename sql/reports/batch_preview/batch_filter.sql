-- batch_filter(filter): checks the filter of a batch, and returns for each condition the values that it allows, or
-- null where the filter does not have it. Keys are country, status, year, api_version, report_type and ids; each has
-- one value or an array of values.
-- Raises RR015 when the filter is no object or empty, has an unknown key, or has a value that no report can have.
create or replace function pgreprise.batch_filter(
  filter jsonb,
  out countries text[],
  out statuses text[],
  out years text[],
  out api_versions text[],
  out report_types text[],
  out ids bigint[]
)
returns record
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  reason    text;
  condition record;
begin
  if jsonb_typeof(batch_filter.filter) is distinct from 'object' then
    reason := 'The filter is not a JSON object.';
  elsif batch_filter.filter = '{}' then
    reason := 'The filter has no condition.';
  else
    select case
        when given.key not in ('country', 'status', 'year', 'api_version', 'report_type', 'ids')
          then format('The filter has an unknown key "%s".', given.key)
        when jsonb_array_length(allowed.elements) = 0 then format('The filter allows no value for "%s".', given.key)
        else (
          select format('The filter has a value for "%s" that no report can have: %s.', given.key, element.value)
            from jsonb_array_elements(allowed.elements) as element
           where not case given.key
             when 'country' then exists (
               select from pgreprise.country as country where to_jsonb(country.country_id) = element.value)
             when 'status' then element.value in ('"pending"', '"running"', '"complete"', '"error"')
             when 'year' then jsonb_typeof(element.value) = 'string'
               and length(element.value #>> '{}') between 1 and 255
             when 'api_version' then jsonb_typeof(element.value) = 'string'
             when 'report_type' then element.value in ('"household"', '"geography"')
             -- A bigint: no fraction, no exponent, and not too large.
             when 'ids' then jsonb_typeof(element.value) = 'number'
               and case when element.value #>> '{}' ~ '^[1-9][0-9]{0,18}$'
                 then element.value::numeric <= 9223372036854775807 else false end
           end
           limit 1
        )
      end
      into reason
      from jsonb_each(batch_filter.filter) as given
     cross join lateral (
       select case when jsonb_typeof(given.value) = 'array' then given.value
         else jsonb_build_array(given.value) end as elements
     ) as allowed
     order by 1 nulls last
     limit 1;
  end if;

  if reason is not null then
    raise exception using
      errcode = 'RR015',
      message = reason,
      detail = jsonb_build_object('filter', batch_filter.filter),
      hint = 'Nothing was changed. Keys are country, status (pending, running, complete, error), year ("2025"), '
        'api_version, report_type (household, geography) and ids. Each has one value or an array of values.';
  end if;

  for condition in
    select given.key, array(
        select element.value #>> '{}'
          from jsonb_array_elements(
            case when jsonb_typeof(given.value) = 'array' then given.value else jsonb_build_array(given.value) end
          ) as element
      ) as allowed
      from jsonb_each(batch_filter.filter) as given
  loop
    case condition.key
      when 'country' then countries := condition.allowed;
      when 'status' then statuses := condition.allowed;
      when 'year' then years := condition.allowed;
      when 'api_version' then api_versions := condition.allowed;
      when 'report_type' then report_types := condition.allowed;
      when 'ids' then ids := condition.allowed::bigint[];
    end case;
  end loop;
end;
$$;

comment on function pgreprise.batch_filter(jsonb) is 'Checks the filter of a batch and returns its conditions.';
