-- json_number(value): a number in JSON as double precision. Null for everything that is not a number, and for one that
-- is beyond double precision: the calculator's code cannot have meant it, and one row must not stop every sum.
create or replace function pgreprise.json_number(value jsonb)
returns double precision
language sql
immutable
begin atomic
  select case
    when jsonb_typeof(json_number.value) = 'number' and abs(json_number.value::numeric) < 1e300
      and (json_number.value::numeric = 0 or abs(json_number.value::numeric) > 1e-300)
      then json_number.value::double precision
  end;
end;

comment on function pgreprise.json_number(jsonb) is 'A number in JSON as double precision, or null.';
