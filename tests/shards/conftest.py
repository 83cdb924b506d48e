"""Two servers and a router, each a process of its own, and for each test databases of its own on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import Connection, connect, folder_of_a_server
from tests.support.fleets import Fleet, Shards, fleet_of, new_shards


@pytest.fixture(scope="session")
def two_servers() -> Iterator[Fleet]:
    """Servers a and b, and one for the routers."""
    with folder_of_a_server() as folder, fleet_of(Path(folder), ["a", "b"]) as made:
        yield made


@pytest.fixture
def shards(two_servers: Fleet) -> Iterator[Shards]:
    """A router, and what is behind it; the logical shards are on a and b in turn."""
    with new_shards(two_servers) as made:
        made.set_versions()
        yield made


@pytest.fixture
def psql(shards: Shards) -> Iterator[Connection]:
    """A DBA's psql at the router."""
    with connect(shards.router) as connection:
        yield connection
