-- refuse_transaction_block(): procedures that commit call it first: inside a transaction block it fails, before
-- anything was done, with "invalid transaction termination" and this name in the context. PostgreSQL has no
-- way to ask beforehand, and an error at a commit cannot be caught and said better.
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
