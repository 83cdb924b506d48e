"""Servers that logical shards are moved between, as databases of the tests' server; and two servers with a router."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import URL

from tests.support import fleets as routed
from tests.support.databases import Connection, connect, folder_of_a_server
from tests.support.moving import Fleet, fleet_of, make_templates

# state/ca of us.
CALIFORNIA = 31

Fleets = Callable[[str, str], Fleet]


@pytest.fixture(scope="session")
def host_templates(
    server: URL, new_database: Callable[..., DatabaseJanitor]
) -> Iterator[Callable[[str], dict[str, str]]]:
    """Gives databases of a host, ``ours`` or ``real``, with its rows and without, which are made once."""
    made: dict[str, dict[str, str]] = {}
    with ExitStack() as closing:

        def templates(host: str) -> dict[str, str]:
            if host not in made:
                made[host] = make_templates(server, new_database, closing, host)
            return made[host]

        yield templates


@pytest.fixture
def new_fleet(
    server: URL, new_database: Callable[..., DatabaseJanitor], host_templates: Callable[[str], dict[str, str]]
) -> Iterator[Fleets]:
    """Makes servers, one for each letter; the first one has the reports of the host. None is prepared."""
    with ExitStack() as closing:
        yield lambda host, names: closing.enter_context(fleet_of(server, new_database, host_templates(host), names))


@pytest.fixture
def fleet(new_fleet: Fleets) -> Fleet:
    """Server a with the reports of our host, and b, which is empty; both are prepared."""
    made = new_fleet("ours", "ab")
    made.did("prepare", "a")
    made.did("prepare", "b", "--empty")
    return made


# --- two servers and a router, each a process of its own, and databases of their own for each test ---


@pytest.fixture(scope="session")
def two_servers() -> Iterator[routed.Fleet]:
    """Servers a and b, and one for the routers."""
    with folder_of_a_server() as folder, routed.fleet_of(Path(folder), ["a", "b"]) as made:
        yield made


@pytest.fixture
def shards(two_servers: routed.Fleet) -> Iterator[routed.Shards]:
    """A router, and what is behind it; the logical shards are on a and b in turn."""
    with routed.new_shards(two_servers) as made:
        made.set_versions()
        yield made


@pytest.fixture
def psql(shards: routed.Shards) -> Iterator[Connection]:
    """A DBA's psql at the router."""
    with connect(shards.router) as connection:
        yield connection


@pytest.fixture
def old(shards: routed.Shards) -> str:
    """The server behind the router that has the logical shard of California."""
    return shards.home(CALIFORNIA)


@pytest.fixture
def new(shards: routed.Shards, old: str) -> str:
    """The other one."""
    [name] = [name for name in shards.fleet.servers if name != old]
    return name


@pytest.fixture
def report(shards: routed.Shards) -> int:
    """A report of California."""
    return shards.add_report("ca")
