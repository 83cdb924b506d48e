"""A PgBouncer beside each server of a router, and the router behind which they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pyapi.shards.router import LOGIN, connection_of
from tests.support.databases import connect
from tests.support.fleets import Shards
from tests.support.projects import PROJECT
from tests.support.servers import Pooler

__all__ = ["Poolers", "poolers_before", "stopped"]

Poolers = dict[str, Pooler]

_PAGE = PROJECT / "docs" / "how-to" / "scale.md"
_ADVISED = ("max_client_conn", "query_wait_timeout", "server_login_retry")


@contextmanager
def poolers_before(shards: Shards, folder: Path, *, connections: int = 1, **settings: int) -> Iterator[Poolers]:
    """A PgBouncer before each server, with so many connections to it for the router, which goes through them.

    The settings are those of docs/how-to/scale.md but for these.
    """
    options = tuple(f"{name} = {value}" for name, value in (_advised() | settings).items())
    with ExitStack() as running:
        made = {}
        for name, behind in shards.fleet.servers.items():
            own = folder / name
            own.mkdir()
            pooler = Pooler(behind.programs, behind.programs.own(own), shards.url(name), (LOGIN, "postgres"),
                            connections, options)  # fmt: skip
            running.callback(pooler.stop)
            pooler.start()
            made[name] = pooler
        _go_through(shards, made)
        yield made


def _advised() -> dict[str, int]:
    """The settings of the page that are not PgBouncer's own."""
    found = dict(re.findall(r"^    (\w+) = (\d+)$", _PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    return {name: int(found[name]) for name in _ADVISED}


def _go_through(shards: Shards, poolers: Poolers) -> None:
    """Let the router connect to its servers through their poolers."""
    connections = {name: connection_of(pooler.url) for name, pooler in poolers.items()}
    given = ", ".join(f"set p{number} '{connections[name]}'" for number, name in shards.homes.items())
    with connect(shards.router) as router:
        router.execute(f"alter server pgreprise options ({given})".encode())
        for name, connection in connections.items():
            router.execute("update pgreprise.server_name set connection = %s where name = %s", (connection, name))


@contextmanager
def stopped(pooler: Pooler) -> Iterator[None]:
    """A pooler that was killed, and comes back at the end."""
    pooler.stop()
    try:
        yield
    finally:
        pooler.start()
