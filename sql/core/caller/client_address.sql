-- client_address(): where the caller is: the address that the API was called from (the setting
-- pgreprise.client_address, which called_by sets), or else that of the client of this session; null for a session over
-- a Unix socket.
-- Written in SQL so that PostgreSQL inlines it.
create or replace function pgreprise.client_address()
returns text
language sql
stable
begin atomic
  select coalesce(
    left(nullif(current_setting('pgreprise.client_address', true), ''), 200), host(inet_client_addr())
  ) as client_address;
end;

comment on function pgreprise.client_address() is
'The address of the caller: that of the API''s client, or the session''s.';
