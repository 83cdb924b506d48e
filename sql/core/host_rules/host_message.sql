-- host_message(message, constraint_name): what a trigger or constraint of the host says, with the name of the
-- constraint, and without the detail of the error, which holds values of rows.
create or replace function pgreprise.host_message(message text, constraint_name text)
returns text
language sql
immutable
begin atomic
  select case
    when coalesce(host_message.constraint_name, '') = ''
      or strpos(host_message.message, host_message.constraint_name) > 0 then host_message.message
    else format('%s (constraint %s)', host_message.message, host_message.constraint_name)
  end as message;
end;

comment on function pgreprise.host_message(text, text) is
'What a trigger or constraint of the host says, with the name of the constraint.';
