"""What production has and a test does not: poolers, standbys, replicas."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.support.databases import connect, folder_of_a_server
from tests.support.servers import Programs, pgbouncer


@pytest.fixture(scope="session")
def programs(server: URL) -> Programs:
    """The programs of the server under test."""
    return Programs.of(server)


@pytest.fixture
def server_folder(programs: Programs) -> Iterator[Path]:
    """A folder for servers, of the account that runs them."""
    with folder_of_a_server() as folder:
        yield programs.own(Path(folder))


@pytest.fixture(scope="module")
def module_folder(programs: Programs) -> Iterator[Path]:
    """A folder for servers that the tests of a module share."""
    with folder_of_a_server() as folder:
        yield programs.own(Path(folder))


# Not longer than a test: the doctor tells of every login on the server that is a member.
@pytest.fixture
def login(server: URL, template: str, worker: str) -> Iterator[str]:
    """A login that holds what the API needs: the membership of pgreprise_api, which the template's migration made."""
    del template
    name = f"pgreprise_test_{worker}"
    with connect(server) as superuser:
        superuser.execute(f"drop role if exists {name}")
        superuser.execute(f"create role {name} login in role pgreprise_api")
        yield name
        superuser.execute(f"drop role {name}")


@pytest.fixture
def pooled(programs: Programs, server_folder: Path, database: URL, login: str) -> Iterator[URL]:
    """The test's database through PgBouncer, as the API's login; one server connection for all its clients."""
    with pgbouncer(programs, server_folder, database, login, database.username or "postgres") as url:
        yield url.set(username=login)
