"""What every test shares: a server, and for each test a database of its own, cloned from a migrated template.

The server is DATABASE_URL's where that is set, otherwise an embedded one of version
PGREPRISE_POSTGRES_VERSION. The database is never mocked.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import URL

from pyapi.embedded import embedded
from pyapi.schema import migrate
from pyapi.settings import Settings
from tests.support import legacy
from tests.support.databases import FAST, Connect, Connection, engine, folder_of_a_server, janitor, rows
from tests.support.databases import connect as connect_to
from tests.support.ports import unused_port
from tests.support.routed import TEMPLATE as routed_template
from tests.support.routed import Routed, routed_servers

pytest_plugins = ["tests.support.needs"]

# A file system in memory, and the room it needs to have.
MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 * 1024**3


def pytest_configure(config: pytest.Config) -> None:
    """Let commands hear of a closed terminal, and put temporary files into memory where that has room.

    A database is a few hundred files. On ext4 without a journal each file that was deleted within the last minute
    makes the next one slower to create, up to ten times here.
    """
    config.addinivalue_line(
        "markers", "direct: it changes or watches the server itself, or needs a transaction, so no router is in between"
    )
    # Under nohup, or in the background of a shell, they are ignored, and every command that a test starts would inherit
    # that.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_BYTES:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--through-router", action="store_true", help="put a router before the database of each test")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that change or watch the server itself, where they would go through a router."""
    direct = [item for item in items if item.get_closest_marker("direct")]
    if direct and config.getoption("--through-router"):
        config.hook.pytest_deselected(items=direct)
        items[:] = [item for item in items if item not in direct]


@pytest.fixture(scope="session")
def routed(request: pytest.FixtureRequest) -> Iterator[Routed | None]:
    """The servers with the routers, where the tests go through routers."""
    if request.config.getoption("--through-router"):
        with folder_of_a_server() as folder, routed_servers(Path(folder)) as made:
            yield made
    else:
        yield None


@pytest.fixture(scope="session")
def server(routed: Routed | None) -> Iterator[URL]:
    """The URL of a server on which the tests may create databases and roles."""
    settings = Settings.from_environment()
    if routed is not None:
        yield routed.server
    elif settings.migration_database is not None:
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


@pytest.fixture(scope="session")
def new_database(server: URL, worker: str, routed: Routed | None) -> Callable[..., DatabaseJanitor]:
    """Makes databases: ``with new_database() as made`` gives an empty one, ``made.dbname`` its name."""
    numbers = itertools.count(1)

    def make(template: str | None = None) -> DatabaseJanitor:
        name = f"pgreprise_test_{worker}_{os.getpid()}_{next(numbers)}"
        return janitor(server, name, template) if routed is None else routed.new_database(name, template)

    return make


@pytest.fixture(scope="session")
def template(server: URL, worker: str, routed: Routed | None) -> Iterator[str]:
    """The name of a database with every migration, which tests clone."""
    if routed is not None:
        yield routed_template
        return
    name = f"pgreprise_template_{worker}_{os.getpid()}"
    with janitor(server, name, as_template=True):
        migrate.upgrade(engine(server.set(database=name)))
        if os.environ.get("PGREPRISE_TEST_SHARD"):
            # Every database of the tests is then a shard that holds all logical shards.
            rows(server.set(database=name), "select pgreprise.prepare_shard()")
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


@pytest.fixture(scope="module")
def shared_database(server: URL, new_database: Callable[..., DatabaseJanitor], template: str) -> Iterator[URL]:
    """A migrated database that the tests of a module share, as its superuser."""
    with new_database(template) as made:
        yield server.set(database=made.dbname)


@pytest.fixture(scope="module")
def shared_connection(shared_database: URL) -> Iterator[Connection]:
    """A superuser's connection to the module's database."""
    with connect_to(shared_database) as connection:
        yield connection


@pytest.fixture
def connect(database: URL) -> Iterator[Connect]:
    """Opens connections to the test's database; rows are dicts, every statement commits by itself.

    ``connect(role="pgreprise_api")`` acts as that role, ``connect(autocommit=False)`` opens a transaction.
    """
    opened: list[Connection] = []

    def open_connection(*, role: str | None = None, autocommit: bool = True) -> Connection:
        connection = connect_to(database, autocommit=autocommit)
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
def dba(connect: Connect) -> Connection:
    """A DBA's psql: a superuser's connection to the test's database."""
    return connect()


@pytest.fixture
def port() -> int:
    """A port on which nobody listens."""
    return unused_port()


@pytest.fixture(scope="session")
def legacy_database() -> Path:
    """The real legacy database in SQLite, which is not part of the project."""
    shared = Path(os.environ.get("PGREPRISE_SHARED") or Path(__file__).parents[2] / "shared")
    found = shared / "data" / "legacy-reports.sqlite"
    if not found.is_file():
        pytest.skip(f"the legacy database is absent: {found} (PGREPRISE_SHARED names the folder that holds data/)")
    return found


@pytest.fixture(scope="session")
def legacy_template(
    server: URL, new_database: Callable[..., DatabaseJanitor], template: str, legacy_database: Path
) -> Iterator[str]:
    """The name of a database with the legacy data, which tests clone."""
    with legacy.imported(server, new_database, template, legacy_database) as name:
        yield name


@pytest.fixture
def legacy_copy(server: URL, new_database: Callable[..., DatabaseJanitor], legacy_template: str) -> Iterator[URL]:
    """A fresh import of the test's own."""
    with new_database(legacy_template) as made:
        yield server.set(database=made.dbname)
