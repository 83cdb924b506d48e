-- schema_privileges_undo: takes back what schema_privileges gave.
-- The schema stays: it holds Alembic's version table. Roles stay: they belong to the whole cluster.
revoke all on table pgreprise.alembic_version from pgreprise_owner;
revoke all on schema pgreprise from pgreprise_owner, pgreprise_reader, pgreprise_api, pgreprise_dba,
pgreprise_monitor, pgreprise_worker;
revoke all on schema public from pgreprise_owner, pgreprise_reader, pgreprise_api, pgreprise_dba,
pgreprise_monitor, pgreprise_worker;
