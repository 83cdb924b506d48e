"""Alembic's environment: how pgreprise's migrations meet a database, or write their SQL.

The version table lives in schema pgreprise, since the host application may have its own.
Each revision is one transaction, and no statement waits long for a lock.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, text

from pyapi import routines  # importing it registers the operations

SCHEMA = "pgreprise"
OPTIONS = {
    "version_table_schema": SCHEMA,
    "transaction_per_migration": True,
    "target_metadata": None,
}
BEFORE_REVISIONS = (
    f"set lock_timeout = '{routines.MIGRATION_LOCK_TIMEOUT}'",
    # A definer's names are all qualified; the migration's own must not meet a planted one either.
    "set search_path = pg_catalog, pg_temp",
    f"create schema if not exists {SCHEMA}",
)


def write_sql() -> None:
    context.configure(dialect_name="postgresql", literal_binds=True, **OPTIONS)
    for statement in BEFORE_REVISIONS:
        context.get_context().impl.static_output(f"{statement};\n")
    with context.begin_transaction():
        context.run_migrations()


def migrate(connection: Connection) -> None:
    for statement in BEFORE_REVISIONS:
        connection.execute(text(statement))
    connection.commit()
    context.configure(connection=connection, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    write_sql()
else:
    migrate(context.config.attributes["connection"])
