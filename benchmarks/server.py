"""The server that benchmarks and stress run on: an embedded PostgreSQL of their own, as durable as a real one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import URL

from pyapi.database import connect_engine
from pyapi.embedded import Embedded, embedded
from pyapi.schema import migrate
from pyapi.settings import Settings

__all__ = ["SETTINGS", "Connection", "connect", "running_server"]

Connection = psycopg.Connection[tuple[object, ...]]

# A commit is on disk when it returns, as in production. The rest is what a small server would have.
SETTINGS: dict[str, str] = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "max_connections": "100",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",
    "random_page_cost": "1.1",
    "jit": "off",
}


def connect(url: URL, *, autocommit: bool = True) -> Connection:
    """A connection to a database of the server."""
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=autocommit)


def create_database(server: Embedded, name: str) -> URL:
    """A new database on the server, with every migration."""
    with connect(server.url("postgres")) as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    url = server.url(name)
    engine = connect_engine(url, call_timeout_seconds=0)
    try:
        migrate.upgrade(engine)
    finally:
        engine.dispose()
    return url


@contextmanager
def running_server(folder: Path | None = None, **changes: str) -> Iterator[Embedded]:
    """A server in a folder of its own that is gone afterwards; ``changes`` are to SETTINGS."""
    settings = "".join(f"{name} = '{value}'\n" for name, value in {**SETTINGS, **changes}.items())
    version = Settings.from_environment().postgres_version
    with tempfile.TemporaryDirectory(prefix="pgreprise-bench-", dir=folder) as made:
        # The server does not run as root, and needs to come through.
        Path(made).chmod(0o755)
        with embedded(Path(made), version, settings=settings) as server:
            server.create_database()
            yield server
