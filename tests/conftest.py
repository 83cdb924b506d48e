"""What every test shares: a server, and for each test a database of its own, cloned from a migrated template.

The server is DATABASE_URL's where that is set, otherwise an embedded one of version
PGREPRISE_POSTGRES_VERSION. The database is never mocked.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row
from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import URL, NullPool, create_engine

from pyapi.embedded import embedded
from pyapi.schema import migrate
from pyapi.settings import Settings

# A crash of the machine may lose the data of a test.
FAST = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nmax_connections = 200\n"
# A file system in memory, and the room it needs to have.
MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 * 1024**3


def pytest_configure() -> None:
    """Put temporary files into memory where that has room.

    A database is a few hundred files. On ext4 without a journal each file that was deleted within the last minute
    makes the next one slower to create, up to ten times here.
    """
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_BYTES:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


def folder_of_a_server() -> tempfile.TemporaryDirectory[str]:
    """A new folder for a server; in pytest's, every run that starts closes it to the account of a root's server."""
    return tempfile.TemporaryDirectory(prefix="pgreprise-test-")


@pytest.fixture(scope="session")
def server() -> Iterator[URL]:
    """The URL of a server on which the tests may create databases and roles."""
    settings = Settings.from_environment()
    if settings.migration_database is not None:
        yield settings.migration_database
    else:
        with (
            folder_of_a_server() as folder,
            embedded(Path(folder), settings.postgres_version, settings=FAST) as running,
        ):
            yield running.url(database="postgres")


@pytest.fixture(scope="session")
def worker() -> str:
    """The name of this test process, when several run side by side."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


def janitor(server: URL, name: str, template: str | None = None, *, as_template: bool = False) -> DatabaseJanitor:
    """Creates database ``name`` on entering, drops it on leaving."""
    return DatabaseJanitor(
        user=server.username or "postgres",
        host=server.host or str(server.query.get("host", "127.0.0.1")),
        port=server.port or 5432,
        password=server.password,
        dbname=name,
        template_dbname=template,
        as_template=as_template,
        maintenance_dbname=server.database or "postgres",
    )


@pytest.fixture(scope="session")
def new_database(server: URL, worker: str) -> Callable[..., DatabaseJanitor]:
    """Makes databases: ``with new_database() as made`` gives an empty one, ``made.dbname`` its name."""
    numbers = itertools.count(1)

    def make(template: str | None = None) -> DatabaseJanitor:
        return janitor(server, f"pgreprise_test_{worker}_{os.getpid()}_{next(numbers)}", template)

    return make


@pytest.fixture(scope="session")
def template(server: URL, worker: str) -> Iterator[str]:
    """The name of a database with every migration, which tests clone."""
    name = f"pgreprise_template_{worker}_{os.getpid()}"
    with janitor(server, name, as_template=True):
        engine = create_engine(server.set(database=name), poolclass=NullPool)
        migrate.upgrade(engine)
        yield name


@pytest.fixture
def empty_database(server: URL, new_database: Callable[..., DatabaseJanitor]) -> Iterator[URL]:
    """A database without pgreprise, as its superuser."""
    with new_database() as made:
        yield server.set(database=made.dbname)


@pytest.fixture
def database(server: URL, new_database: Callable[..., DatabaseJanitor], template: str) -> Iterator[URL]:
    """A migrated database of the test's own, as its superuser."""
    with new_database(template) as made:
        yield server.set(database=made.dbname)


Connect = Callable[..., psycopg.Connection[dict[str, object]]]


@pytest.fixture
def connect(database: URL) -> Iterator[Connect]:
    """Opens connections to the test's database; rows are dicts, every statement commits by itself.

    ``connect(role="pgreprise_api")`` acts as that role, ``connect(autocommit=False)`` opens a transaction.
    """
    opened: list[psycopg.Connection[dict[str, object]]] = []

    def open_connection(*, role: str | None = None, autocommit: bool = True) -> psycopg.Connection[dict[str, object]]:
        url = database.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = psycopg.connect(url, autocommit=autocommit, row_factory=dict_row)
        opened.append(connection)
        if role is not None:
            connection.execute(psycopg.sql.SQL("set role {}").format(psycopg.sql.Identifier(role)))
            if not autocommit:
                connection.commit()
        return connection

    yield open_connection
    for connection in opened:
        connection.close()


@pytest.fixture
def dba(connect: Connect) -> psycopg.Connection[dict[str, object]]:
    """A DBA's psql: a superuser's connection to the test's database."""
    return connect()


@pytest.fixture(scope="session")
def legacy_database() -> Path:
    """The real legacy database in SQLite, which is not part of the project."""
    shared = Path(os.environ.get("PGREPRISE_SHARED") or Path(__file__).parents[2] / "shared")
    found = shared / "data" / "legacy-reports.sqlite"
    if not found.is_file():
        pytest.skip(f"the legacy database is absent: {found} (PGREPRISE_SHARED names the folder that holds data/)")
    return found
