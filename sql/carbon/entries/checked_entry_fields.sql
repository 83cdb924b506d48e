-- checked_entry_fields(data_entry_type_id, given, is_new): those of the given fields that entries of this type have, as
-- they are stored: texts without white space around them, numbers that came as texts as numbers, choices in lower case.
-- Other fields are left out. A new entry needs every required field; otherwise only what is given is checked.
-- Raises RC013 with every problem.
create or replace function pgreprise.checked_entry_fields(data_entry_type_id bigint, given jsonb, is_new boolean)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  field    record;
  value    jsonb;
  text_of  text;
  checked  jsonb := '{}'::jsonb;
  problems text[] := array[]::text[];
  problem  text;
  names    text;
begin
  if jsonb_typeof(checked_entry_fields.given) is distinct from 'object' then
    perform pgreprise.raise_invalid_entry('The fields must be a JSON object.');
  end if;

  for field in
    select listed.*,
        format('%s must be %s.', listed.name, case
          when listed.choices is not null then 'one of ' || array_to_string(listed.choices, ', ')
          when listed.kind = 'text' then 'a text'
          when listed.kind = 'date' then 'a date such as 2026-05-31'
          else case listed.kind when 'whole' then 'a whole number' else 'a number' end || case
            when listed.maximum is not null then format(' from %s to %s', listed.minimum, listed.maximum)
            when listed.minimum is not null then format(' of %s or more', listed.minimum)
            else '' end
        end) as expectation
      from pgreprise.carbon_entry_field as listed
     where listed.data_entry_type_id = checked_entry_fields.data_entry_type_id
     order by listed.name
  loop
    value := checked_entry_fields.given -> field.name;
    if value is null and not (checked_entry_fields.is_new and field.is_required) then
      continue;
    end if;
    text_of := pgreprise.trimmed(checked_entry_fields.given ->> field.name);

    problem := null;
    if coalesce(jsonb_typeof(value), 'null') = 'null' or (jsonb_typeof(value) = 'string' and text_of = '') then
      problem := case when field.is_required then format('%s is missing: %s', field.name, field.expectation) end;
      value := 'null'::jsonb;
    elsif field.kind = 'text' then
      problem := case
        when jsonb_typeof(value) <> 'string' then field.expectation
        when field.choices is not null and lower(text_of) <> all (field.choices) then field.expectation
      end;
      value := to_jsonb(case when field.choices is null then text_of else lower(text_of) end);
    elsif field.kind = 'date' then
      begin
        -- Of a moment the date is kept, as the calculator does.
        if jsonb_typeof(value) <> 'string' or text_of like '0000%'
          or text_of !~ ('^[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}'
            '([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?(Z|[-+][0-9]{2}(:?[0-9]{2})?)?)?$')
        then
          problem := field.expectation;
        else
          value := to_jsonb(to_date(replace(left(text_of, 10), '/', '-'), 'YYYY-MM-DD')::text);
        end if;
      exception
        when datetime_field_overflow or invalid_datetime_format then
          problem := field.expectation;
      end;
    elsif jsonb_typeof(value) not in ('number', 'string')
      or text_of !~ '^-?[0-9]{1,15}(\.[0-9]{1,30})?$'
    then
      problem := field.expectation;
    else
      value := to_jsonb(text_of::numeric);
      problem := case
        when text_of::numeric < field.minimum or text_of::numeric > field.maximum then field.expectation
        when field.kind = 'whole' and text_of::numeric <> trunc(text_of::numeric) then field.expectation
      end;
    end if;

    if problem is null then
      checked := checked || jsonb_build_object(field.name, value);
    else
      problems := problems || problem;
    end if;
  end loop;

  if cardinality(problems) > 0 then
    perform pgreprise.raise_invalid_entry(array_to_string(problems, ' '));
  end if;
  if checked = '{}' then
    select string_agg(listed.name, ', ' order by listed.name) into names
      from pgreprise.carbon_entry_field as listed
     where listed.data_entry_type_id = checked_entry_fields.data_entry_type_id;
    perform pgreprise.raise_invalid_entry(format('Nothing is given that an entry of this type has: %s.', names));
  end if;
  return checked;
end;
$$;

comment on function pgreprise.checked_entry_fields(bigint, jsonb, boolean) is
'The given fields that entries of a type have, as they are stored; refuses what a field cannot be (RC013).';
