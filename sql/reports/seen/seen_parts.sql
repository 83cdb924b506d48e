-- seen_parts(seen): the ids at which the parts of a batch begin, in order, as the token of its preview has them.
create or replace function pgreprise.seen_parts(seen jsonb)
returns bigint[]
language sql
stable
begin atomic
  select array(
    select part.first_id::bigint
      from jsonb_object_keys(seen_parts.seen -> 'part') as part (first_id)
     where part.first_id ~ '^[0-9]{1,18}$'
     order by part.first_id::bigint
  ) as first_ids;
end;

comment on function pgreprise.seen_parts(jsonb) is 'The ids at which the parts of a batch begin, as a token has them.';
