-- rule_of_host(refusal): raises what a trigger or constraint of the application has said on a shard. The context of an
-- error names the routines that it went through, and programs tell from it whose error it is: this one is not in schema
-- pgreprise, because the error is not ours.
create or replace function pgreprise_remote.rule_of_host(refusal jsonb)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = rule_of_host.refusal ->> 'code',
    message = rule_of_host.refusal ->> 'message',
    detail = coalesce(rule_of_host.refusal ->> 'detail', ''),
    hint = coalesce(rule_of_host.refusal ->> 'hint', ''),
    schema = coalesce(rule_of_host.refusal ->> 'schema', ''),
    table = coalesce(rule_of_host.refusal ->> 'table', ''),
    column = coalesce(rule_of_host.refusal ->> 'column', ''),
    datatype = coalesce(rule_of_host.refusal ->> 'datatype', ''),
    constraint = coalesce(rule_of_host.refusal ->> 'constraint', '');
end;
$$;

comment on function pgreprise_remote.rule_of_host(jsonb) is
'Raises what a trigger or constraint of the application has said on a shard.';
