-- refuse_transaction_block(): fails inside a transaction block. Procedures that commit call it first, so that nothing
-- has been done when it fails. The error is "invalid transaction termination", with this name in the context:
-- PostgreSQL has no way to ask beforehand, and an error of commit cannot be caught and given a better message.
-- Raises 2D000 inside a transaction block.
create or replace procedure pgreprise.refuse_transaction_block()
language plpgsql
as $$
begin
  commit;
end;
$$;

comment on procedure pgreprise.refuse_transaction_block is
'Fails inside a transaction block (2D000), where a procedure that commits cannot run.';

grant execute on procedure pgreprise.refuse_transaction_block() to pgreprise_dba;
