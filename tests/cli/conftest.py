"""The command as its users run it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine

from pyapi.database import connect_engine
from tests.support import mariadb
from tests.support.command import Run, run_here
from tests.support.databases import folder_of_a_server, plain
from tests.support.legacy_sources import Legacy
from tests.support.mariadb import LegacyInMariaDB, MariaDB


@pytest.fixture
def pgreprise(database: URL) -> Run:
    """Runs the command on the test's database, within this process."""
    return lambda *arguments, **settings: run_here(*arguments, **{"DATABASE_URL": plain(database), **settings})


@pytest.fixture
def plain_folder() -> Iterator[Path]:
    """A folder in which a command may start a server."""
    with folder_of_a_server() as folder:
        yield Path(folder)


@pytest.fixture
def new_engine(database: URL) -> Iterator[Callable[..., Engine]]:
    """Makes engines of the test's database; ``new_engine("-c lock_timeout=1s")`` adds settings."""
    made: list[Engine] = []

    def make(options: str = "", **arguments: Any) -> Engine:
        made.append(connect_engine(database.update_query_dict({"options": options}), **arguments))
        return made[-1]

    yield make
    for engine in made:
        engine.dispose()


@pytest.fixture
def target(new_engine: Callable[..., Engine]) -> Engine:
    return new_engine()


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDB]:
    """A MariaDB server of the tests' own."""
    with folder_of_a_server() as folder, mariadb.running(Path(folder)) as server:
        yield server


@pytest.fixture
def legacy_in_mariadb(mariadb_server: MariaDB) -> LegacyInMariaDB:
    """A legacy database of today in MariaDB."""
    return LegacyInMariaDB(mariadb_server, "legacy")


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.needs("mariadb"))])
def legacy_of_today(request: pytest.FixtureRequest, tmp_path: Path) -> Legacy | LegacyInMariaDB:
    """A legacy database of today, once in SQLite and once in MariaDB."""
    if request.param == "sqlite":
        return Legacy(tmp_path / "today.sqlite", today=True)
    made: LegacyInMariaDB = request.getfixturevalue("legacy_in_mariadb")
    return made
