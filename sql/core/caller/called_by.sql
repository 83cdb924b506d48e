-- called_by(claims, value, request_id, client_address): the value, and from then on in this transaction the claims of a
-- verified token, as the setting request.jwt.claims, and the request that the call belongs to (see request_id and
-- client_address). An API calls a routine with it as one of the arguments, which PostgreSQL evaluates before the
-- routine begins: get_report(report_id => pgreprise.called_by('{"sub": "alice", ...}', 42)).
-- So a call is one statement, and the claims end with its transaction: behind a pooler no other client meets them.
-- Written in SQL so that PostgreSQL inlines it.
-- Anyone who can call this could set the settings as well; see claims.
create or replace function pgreprise.called_by(
  claims text, value bigint, request_id text default null, client_address text default null
)
returns bigint
language sql
volatile
begin atomic
  select case
    when set_config('request.jwt.claims', called_by.claims, true) is not null
      and set_config('pgreprise.request_id', called_by.request_id, true) is not null
      and set_config('pgreprise.client_address', called_by.client_address, true) is not null
      then called_by.value
  end as called_by;
end;

comment on function pgreprise.called_by(text, bigint, text, text) is
'The value; the rest of the transaction has the claims of a verified token. An argument of the routine that is called.';

grant execute on function pgreprise.called_by(text, bigint, text, text)
to pgreprise_reader, pgreprise_api, pgreprise_dba;
