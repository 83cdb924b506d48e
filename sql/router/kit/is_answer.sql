-- is_answer(refusal): true for a row of an answer, whose refusal is null. A refusal of the shard is raised here as the
-- shard raised it.
create or replace function pgreprise.is_answer(refusal jsonb)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if is_answer.refusal is null then
    return true;
  end if;
  if is_answer.refusal ? 'of_host' then
    perform pgreprise_remote.rule_of_host(is_answer.refusal);
  end if;
  raise exception using
    errcode = is_answer.refusal ->> 'code',
    message = is_answer.refusal ->> 'message',
    detail = coalesce(is_answer.refusal ->> 'detail', ''),
    hint = coalesce(is_answer.refusal ->> 'hint', ''),
    schema = coalesce(is_answer.refusal ->> 'schema', ''),
    table = coalesce(is_answer.refusal ->> 'table', ''),
    column = coalesce(is_answer.refusal ->> 'column', ''),
    datatype = coalesce(is_answer.refusal ->> 'datatype', ''),
    constraint = coalesce(is_answer.refusal ->> 'constraint', '');
end;
$$;

comment on function pgreprise.is_answer(jsonb) is 'True for a row of an answer; a refusal of a shard is raised.';
