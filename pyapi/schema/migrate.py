"""Running the migrations: Alembic, with its configuration made here instead of in an ini file.

An upgrade also brings routines whose text was edited before their release to that text (``refresh.py``).
"""

from __future__ import annotations

import re
from typing import TextIO

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from pyapi.schema.files import (
    TextError,
    domains,
    migrations_folder,
    require_unchanged,
    revision_texts,
    sql_text,
)

__all__ = [
    "NOT_INSTALLED",
    "alembic_config",
    "complete_domains",
    "downgrade",
    "lock_holders",
    "scripts",
    "upgrade",
    "write_sql",
]

# SQLSTATEs of a database where pgreprise, or a newer part of it, is not installed.
NOT_INSTALLED = {"42883", "42P01", "3F000", "42704"}


def alembic_config(output: TextIO | None = None) -> Config:
    """Alembic's configuration for pgreprise's migrations."""
    config = Config(output_buffer=output) if output else Config()
    config.set_main_option("script_location", str(migrations_folder()))
    config.set_main_option("path_separator", "os")
    return config


def scripts() -> ScriptDirectory:
    """The revisions that this version of pgreprise knows."""
    return ScriptDirectory.from_config(alembic_config())


def _require_one_file_a_revision() -> None:
    """Raise TextError where two files have one revision, as after a merge; Alembic would skip one of them."""
    found: dict[str, str] = {}
    for path, revision in revision_texts().items():
        match = re.search(r"^revision = \"(\w+)\"$", revision, re.MULTILINE)
        if match is None:
            continue
        if match[1] in found:
            raise TextError(
                f"{found[match[1]]} and {path.name} are both revision {match[1]}. Nothing was changed. Give one of "
                "them the next number, in its file name, revision and down_revision."
            )
        found[match[1]] = path.name


def complete_domains(connection: Connection) -> set[str]:
    """The domains whose newest revision is installed in this database."""
    directory = scripts()
    installed = tuple(connection.execute(text("select version_num from pgreprise.alembic_version")).scalars())
    if not installed:
        return set()
    behind = directory.iterate_revisions("heads", installed, implicit_base=True)
    missing = {label for script in behind for label in script.branch_labels}
    return set(domains()) - missing


def upgrade(engine: Engine, revision: str = "heads") -> list[str]:
    """Migrate forward, each revision in its own transaction, and bring unreleased routines to their files' text.

    Returns a line for each routine that was brought to its text. Raises files.TextError when a released text was edited
    and for a text that PostgreSQL refuses, and sqlalchemy.exc.DBAPIError with what the
    database said; the revisions before the one that failed stay.
    """
    require_unchanged()
    _require_one_file_a_revision()
    config = alembic_config()
    config.attributes["refresh"] = True
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    refreshed: list[str] = config.attributes["refreshed"]
    return refreshed


def downgrade(engine: Engine, revision: str, *, drop_tables_with_rows: bool = False) -> None:
    """Migrate back to ``revision`` (``reports@base``, ``core_0001``, ...).

    A table that pgreprise created is dropped only when it is empty, or when
    ``drop_tables_with_rows`` says so; one that it found is never dropped.
    """
    config = alembic_config()
    with engine.connect() as connection:
        if drop_tables_with_rows:
            connection.execute(text("set pgreprise.drop_tables_with_rows = 'yes'"))
            connection.commit()
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def lock_holders(engine: Engine) -> list[str]:
    """Who holds locks on tables that a migration changes, each as a sentence without its full stop."""
    with engine.connect() as connection:
        query = connection.execution_options(no_parameters=True).exec_driver_sql(sql_text("core/lock_holders"))
        return list(query.scalars())


def write_sql(output: TextIO, revision: str = "heads") -> None:
    """Write the SQL of a migration from nothing to ``revision``, for a DBA to read and run."""
    command.upgrade(alembic_config(output), revision, sql=True)
