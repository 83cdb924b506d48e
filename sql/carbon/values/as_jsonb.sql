-- as_jsonb(value): what the calculator has stored as json, as jsonb. Escapes that jsonb cannot hold are replaced
-- (repaired_json), so that one such row does not make every read of its module fail. All reads of the calculator's json
-- columns go through this.
-- Written in SQL so that PostgreSQL inlines it.
create or replace function pgreprise.as_jsonb(value json)
returns jsonb
language sql
immutable
begin atomic
  select case
    when position('\u' in as_jsonb.value::text) > 0 and as_jsonb.value::text ~ '\\u(0000|[dD][89a-fA-F])'
      then pgreprise.repaired_json(as_jsonb.value::text)::jsonb
    else as_jsonb.value::jsonb
  end;
end;

comment on function pgreprise.as_jsonb(json) is 'What is stored as json, as jsonb, without what jsonb cannot hold.';
