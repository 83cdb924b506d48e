"""Alembic's environment: how pgreprise's migrations meet a database, or write their SQL.

The version table lives in schema pgreprise, since the host application may have its own.
Each revision is one transaction, and no statement waits long for a lock. A revision may name an SQL file that
checks the database, ``check_first = "domain/name"`` (``check_first_downgrade`` for the way back), or several files
that run one after the other. These checks of all pending revisions run before the first change, together with
core/check_database, and what they find is told at once, so that a database that does not fit is not changed at all.
``check_rows`` names those that look at rows, and so need tables that fit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from types import ModuleType

from alembic import context
from alembic.runtime.migration import RevisionStep
from alembic.util import CommandError
from sqlalchemy import Connection

from pyapi.pool import is_behind_pooler
from pyapi.schema import operations  # importing it registers the operations
from pyapi.schema.files import sql_text
from pyapi.schema.migrate import complete_domains
from pyapi.schema.objects import altered, created, dropped, set_objects
from pyapi.schema.refresh import refresh_routines
from pyapi.schema.run_tables import CHECK_RUN_TABLES, attach_run_tables

SCHEMA = "pgreprise"
OPTIONS = {
    "version_table_schema": SCHEMA,
    "transaction_per_migration": True,
    "target_metadata": None,
}
# Two at once would trip over each other. The wait is short: a concurrent index build waits for every open
# snapshot, the waiter's too, and the session of a migration that has just ended lets go a moment later.
ONE_AT_A_TIME = """
do $$
begin
  for attempt in 1..20 loop
    if pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended('pgreprise.migration', 0)) then
      return;
    end if;
    perform pg_catalog.pg_sleep(0.1);
  end loop;
  raise exception using
    errcode = 'lock_not_available',
    message = 'Another migration of pgreprise is running in this database. Nothing was changed.',
    hint = 'Wait until it has ended, then migrate again; pg_locks shows it as an advisory lock.';
end;
$$;
"""
SETTINGS = (
    f"set lock_timeout = '{operations.MIGRATION_LOCK_TIMEOUT}';",
    # A definer's names are all qualified; the migration's own must not meet a planted one either.
    "set search_path = pg_catalog, pg_temp;",
    ONE_AT_A_TIME,
)
# From this revision on each migration looks at the application's tables of runs.
RUN_TABLES_SINCE = "reports_0001"
# Its revisions no longer exist, so it is told before Alembic looks for them.
DEVELOPMENT_VERSION = "core/refuse_development_version"
# Whether this role may not even read which revisions there are.
IS_CLOSED = f"""
select not pg_catalog.has_schema_privilege(namespace.oid, 'usage')
    or not coalesce(pg_catalog.has_table_privilege(relation.oid, 'select'), true)
  from pg_catalog.pg_namespace as namespace
  left join pg_catalog.pg_class as relation
    on relation.relnamespace = namespace.oid and relation.relname = 'alembic_version'
 where namespace.nspname = '{SCHEMA}'
"""  # noqa: S608
CREATE_SCHEMA = f"create schema if not exists {SCHEMA};"
# Without it psql runs the rest after an error.
HOW_TO_RUN = "-- Run it with: psql --no-psqlrc --set ON_ERROR_STOP=1 --file <this file> <database>"


def require_known_revisions() -> None:
    """Refuse a database that a newer version has migrated; Alembic would only name the revision."""
    known = {script.revision for script in context.script.walk_revisions()}
    unknown = sorted(set(context.get_context().get_current_heads()) - known)
    if unknown:
        raise CommandError(
            f"The database is at revision {', '.join(unknown)}, which this version of pgreprise does not know: "
            "a newer version, or another branch of a checkout, has migrated it. Nothing was changed. Upgrade pgreprise "
            "here, or go back with the one that knows it: pgreprise migrate --downgrade REVISION"
        )


def require_own_session(connection: Connection) -> None:
    """Refuse a transaction pooler: the lock and the settings of a migration outlive its transactions."""
    if is_behind_pooler(connection):
        raise CommandError(
            "The connection goes through a pooler (PgBouncer or its like) that gives each transaction another server "
            "connection. A migration needs one of its own. Nothing was changed. Set PGREPRISE_MIGRATION_URL to the "
            "address of the server itself; where it is that already, set PGREPRISE_POOLER=session."
        )


def installed_revisions() -> set[str]:
    """The revisions of the database, and all before them."""
    return {
        script.revision
        for head in context.get_context().get_current_heads()
        for script in context.script.iterate_revisions(head, "base")
    }


def pending_steps() -> list[RevisionStep]:
    """What is to be done, in its order."""
    migration = context.get_context()
    return list(migration.opts["fn"](migration.get_current_heads(), migration))


def _named(revisions: list[ModuleType], attribute: str) -> Iterator[str]:
    for revision in revisions:
        named = getattr(revision, attribute, ())
        yield from (named,) if isinstance(named, str) else named


def checks(steps: list[RevisionStep], installed: Collection[str]) -> Iterator[str]:
    """All checks, as SQL. Those of an upgrade tell together what stands in its way; only then rows are looked at."""
    upgrades = [step.revision.module for step in steps if step.is_upgrade]
    downgrades = [step.revision.module for step in steps if step.is_downgrade]
    if downgrades:
        yield from (sql_text(name) for name in _named(downgrades, "check_first_downgrade"))
        yield set_objects("objects_to_drop", dropped(downgrades))
        yield sql_text("core/begin_check")
        yield sql_text("core/check_downgrade")
    else:
        yield sql_text("core/begin_check")
        yield set_objects("objects_to_create", created(upgrades))
        yield sql_text("core/check_database")
        yield from (sql_text(name) for name in _named(upgrades, "check_first"))
        if RUN_TABLES_SINCE in installed:
            # The application may have got these tables since.
            yield from (sql_text(name) for name in CHECK_RUN_TABLES)
    yield sql_text("core/refuse_obstacles")
    yield from (sql_text(name) for name in _named(upgrades, "check_rows"))


def write_sql() -> None:
    context.configure(dialect_name="postgresql", literal_binds=True, **OPTIONS)
    before = (HOW_TO_RUN, *SETTINGS, sql_text(DEVELOPMENT_VERSION), *checks(pending_steps(), ()), CREATE_SCHEMA)
    for statement in before:
        context.get_context().impl.static_output(statement.strip())
    with context.begin_transaction():
        context.run_migrations()


def migrate(connection: Connection) -> None:
    require_own_session(connection)
    # Each revision is one transaction, also on an engine that has autocommit.
    connection.execution_options(isolation_level="READ COMMITTED")
    execute = connection.execution_options(no_parameters=True).exec_driver_sql
    for statement in SETTINGS:
        execute(statement)
    connection.commit()
    context.configure(connection=connection, **OPTIONS)
    if connection.exec_driver_sql(IS_CLOSED).scalar():
        every = altered(script.module for script in reversed(list(context.script.walk_revisions())))
        execute(set_objects("objects_to_create", every))
        for name in ("core/begin_check", "core/check_database", "core/refuse_obstacles"):
            execute(sql_text(name))
    execute(sql_text(DEVELOPMENT_VERSION))
    require_known_revisions()
    for statement in (*checks(pending_steps(), installed_revisions()), CREATE_SCHEMA):
        execute(statement)
    connection.commit()
    with context.begin_transaction():
        context.run_migrations()
    if context.config.attributes.get("refresh"):
        # Under the lock of the migration, since two at once would trip over each other here too.
        domains = complete_domains(connection)
        refreshed = refresh_routines(connection, domains)
        connection.commit()
        if "reports" in domains:
            attach_run_tables(connection)
            connection.commit()
        context.config.attributes["refreshed"] = refreshed


if context.is_offline_mode():
    write_sql()
else:
    try:
        migrate(context.config.attributes["connection"])
    finally:
        # Its settings and its lock are the migration's own and must not go back to a pool.
        context.config.attributes["connection"].invalidate()
