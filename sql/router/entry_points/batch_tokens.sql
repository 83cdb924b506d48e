-- batch_tokens(seen): the tokens that the servers have given for one preview, by the names of the servers; see
-- rerun_batch_effects, which puts them into one.
-- Raises RR016 for a text that is no such token.
create or replace function pgreprise.batch_tokens(seen text)
returns table (name text, token text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if batch_tokens.seen !~ '^[^=;]+=[^=;]*(;[^=;]+=[^=;]*)*$' then
    raise exception using
      errcode = 'RR016',
      message = 'The value of seen is not the token of a preview of a batch. Nothing was changed.',
      detail = jsonb_build_object('seen', left(batch_tokens.seen, 100)),
      hint = 'Pass the value of the column seen of a preview, as it is.';
  end if;
  return query
    select split_part(part.said, '=', 1), split_part(part.said, '=', 2)
      from regexp_split_to_table(batch_tokens.seen, ';') as part(said);
end;
$$;

comment on function pgreprise.batch_tokens(text) is 'The tokens of the servers for one preview of a batch.';
