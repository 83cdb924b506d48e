"""Servers that logical shards are moved between, as databases of the tests' server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import URL

from tests.support.moving import Fleet, fleet_of, make_templates

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
