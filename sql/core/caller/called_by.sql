-- called_by(claims, value): the value, and from then on in this transaction the claims of a verified token, as the
-- setting request.jwt.claims. An API calls a routine with it as one of the arguments, which PostgreSQL evaluates
-- before the routine begins: get_report(report_id => pgreprise.called_by('{"sub": "alice", ...}', 42)).
-- So a call is one statement, and the claims end with its transaction: behind a pooler no other client meets them.
-- Written in SQL so that PostgreSQL inlines it.
-- Anyone who can call this could set the setting as well; see claims.
create or replace function pgreprise.called_by(claims text, value bigint)
returns bigint
language sql
volatile
begin atomic
  select case
    when set_config('request.jwt.claims', called_by.claims, true) is not null then called_by.value
  end as called_by;
end;

comment on function pgreprise.called_by(text, bigint) is
'The value; the rest of the transaction has the claims of a verified token. An argument of the routine that is called.';

grant execute on function pgreprise.called_by(text, bigint) to pgreprise_reader, pgreprise_api, pgreprise_dba;
