-- history_privileges: what the routines' owner needs on the host's tables for an undo: to put deleted
-- economy cache rows back.
grant insert on table public.reform_impact to pgreprise_owner;
