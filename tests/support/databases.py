"""Servers, databases on them, and ways to look into a database by its URL."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row
from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import URL, Engine, NullPool, create_engine

Connection = psycopg.Connection[dict[str, Any]]
Connect = Callable[..., Connection]

# A crash of the machine may lose the data of a test.
FAST = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nmax_connections = 200\n"


def folder_of_a_server() -> tempfile.TemporaryDirectory[str]:
    """A new folder for a server; in pytest's, every run that starts closes it to the account of a root's server."""
    folder = tempfile.TemporaryDirectory(prefix="pgreprise-test-")
    # Otherwise that server's files would be elsewhere.
    Path(folder.name).chmod(0o711)
    return folder


class _Janitor(DatabaseJanitor):
    """Copies the files of a template: that takes half the time of writing the copy to the log, which is the default."""

    def _build_create_database_sql(self) -> psycopg.sql.Composed:
        query = super()._build_create_database_sql()
        return query + psycopg.sql.SQL(" STRATEGY file_copy") if self.template_dbname else query


def janitor(server: URL, name: str, template: str | None = None, *, as_template: bool = False) -> DatabaseJanitor:
    """Creates database ``name`` on entering, drops it on leaving."""
    return _Janitor(
        user=server.username or "postgres",
        host=server.host or str(server.query.get("host", "127.0.0.1")),
        port=server.port or 5432,
        password=server.password,
        dbname=name,
        template_dbname=template,
        as_template=as_template,
        maintenance_dbname=server.database or "postgres",
    )


def plain(url: URL) -> str:
    """The URL as people and libpq write it."""
    address, mark, query = url.set(drivername="postgresql").render_as_string(hide_password=False).partition("?")
    # SQLAlchemy writes a space as a plus there, which libpq takes as it is.
    return address + mark + query.replace("+", "%20")


def engine(url: URL) -> Engine:
    """An engine that keeps no connection, so that the database can be cloned and dropped."""
    return create_engine(url, poolclass=NullPool)


def connect(url: URL, *, autocommit: bool = True) -> Connection:
    """A connection whose every statement commits by itself; rows are dicts."""
    return psycopg.connect(plain(url), autocommit=autocommit, row_factory=dict_row)


def rows(url: URL, query: str, *values: object) -> list[dict[str, Any]]:
    """The rows of one query."""
    with connect(url) as connection:
        return connection.execute(query, values or None).fetchall()
