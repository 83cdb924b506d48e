"""Several servers, each a process of its own, and a router in front: Debian's PostgreSQL 15 and PL/Proxy."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL

from pyapi.schema import migrate
from pyapi.schema.files import sql_text
from pyapi.shards.router import LOGIN, connection_of, router_of
from tests.support import factories
from tests.support.databases import connect, engine, plain, rows
from tests.support.servers import Programs, Server, server

_TEMPLATE = "template_of_tests"
_numbers = itertools.count(1)


@dataclass
class Fleet:
    """The servers by their names, and the one that the routers are on."""

    servers: dict[str, Server]
    of_routers: Server

    def connection(self, name: str, database: str) -> str:
        """How PL/Proxy connects to a database of a server."""
        return connection_of(self.servers[name].url(database))


@dataclass
class Shards:
    """A router, and the databases of the servers behind it: each holds some of the 64 logical shards."""

    fleet: Fleet
    database: str
    homes: dict[int, str]
    router: URL = field(init=False)

    def __post_init__(self) -> None:
        self.router = self.fleet.of_routers.url(self.database)

    def url(self, name: str) -> URL:
        """The database of one server."""
        return self.fleet.servers[name].url(self.database)

    def home(self, logical_shard: int) -> str:
        """The server that holds a logical shard."""
        return self.homes[logical_shard]

    def row(self, query: str, *values: object, name: str | None = None) -> dict[str, Any]:
        """The one row of a query to the router, or to a server."""
        [found] = rows(self.router if name is None else self.url(name), query, *values)
        return found

    def set_versions(self) -> None:
        """Make the versions of the factories current on each server."""
        for name in self.fleet.servers:
            with connect(self.url(name)) as on:
                factories.set_versions(on)

    def add_report(self, population: str, **values: Any) -> int:
        """A complete report, for one simulation, on the server of its population; returns its id."""
        name = self.home_of(population)
        with connect(self.url(name)) as on:
            return factories.add_report(on, factories.add_simulation(on, population_id=population), **values)

    def home_of(self, population: str) -> str:
        """The server of a population of us."""
        return self.home(self.row("select pgreprise.population_shard('us', %s) as number", population)["number"])

    def populations(self, name: str, count: int) -> list[str]:
        """The first populations of a server."""
        listed = (f"district {number}" for number in itertools.count())
        return list(itertools.islice((one for one in listed if self.home_of(one) == name), count))

    def reports(self, each: int) -> dict[str, list[int]]:
        """So many reports on each server."""
        return {name: [self.add_report(one) for one in self.populations(name, each)] for name in self.fleet.servers}

    def everywhere(self, statement: str) -> None:
        """Run a statement on each server."""
        for name in self.fleet.servers:
            with connect(self.url(name)) as on:
                on.execute(statement.encode())


def homes(names: Sequence[str]) -> dict[int, str]:
    """The 64 logical shards, in turn."""
    return {number: names[number % len(names)] for number in range(64)}


def _make_template(made: Server, held: Sequence[int]) -> None:
    made.execute(f"create database {_TEMPLATE}")
    migrated = engine(made.url(_TEMPLATE))
    migrate.upgrade(migrated)
    migrated.dispose()
    with connect(made.url(_TEMPLATE)) as on:
        on.execute(f"create role {LOGIN} login in role pgreprise_router")
        on.execute("select pgreprise.prepare_shard(%s)", (list(held),))
        on.execute(sql_text("reports/install_shard_functions").encode())


def router_text(fleet: Fleet, database: str) -> str:
    """The SQL of a router for the databases of this name."""
    with ExitStack() as opened:
        urls = {name: made.url(database) for name, made in fleet.servers.items()}
        shards = {name: opened.enter_context(psycopg.connect(plain(url))) for name, url in urls.items()}
        return router_of(shards, urls)


def run_script(made: Server, database: str, script: str) -> None:
    """Run a script with psql as the superuser."""
    made.programs.run_psql(made.port, database, script)


@contextmanager
def fleet_of(folder: Path, names: Sequence[str]) -> Iterator[Fleet]:
    """New servers, each with a template of a shard, and one with a template of a router."""
    programs = Programs.of_debian()
    programs.own(folder)
    with ExitStack() as stack:

        def start(name: str) -> Server:
            return stack.enter_context(server(programs, folder / name))

        made = Fleet({name: start(name) for name in names}, start("router"))
        held = homes(names)
        for name, one in made.servers.items():
            _make_template(one, [number for number, home in held.items() if home == name])
        made.of_routers.execute(f"create database {_TEMPLATE}")
        run_script(made.of_routers, _TEMPLATE, router_text(made, _TEMPLATE))
        yield made


def _lead(router: URL, fleet: Fleet, database: str, held: dict[int, str]) -> None:
    """Let a router send calls to the databases of this name."""
    with connect(router) as on:
        given = ", ".join(f"set p{number} '{fleet.connection(name, database)}'" for number, name in held.items())
        on.execute(f"alter server pgreprise options ({given})".encode())
        for name in fleet.servers:
            on.execute("update pgreprise.server_name set connection = %s where name = %s",
                       (fleet.connection(name, database), name))  # fmt: skip


@contextmanager
def another_router(shards: Shards) -> Iterator[URL]:
    """A second router before the same servers."""
    fleet, database = shards.fleet, f"{shards.database}_again"
    fleet.of_routers.execute(f"create database {database} template {_TEMPLATE} strategy file_copy")
    try:
        _lead(fleet.of_routers.url(database), fleet, shards.database, shards.homes)
        yield fleet.of_routers.url(database)
    finally:
        fleet.of_routers.execute(f"drop database {database} with (force)")


@contextmanager
def closed(shards: Shards, router: URL) -> Iterator[None]:
    """A router to which nobody can connect, and whose connections have ended."""
    of_routers = shards.fleet.of_routers
    of_routers.execute(f"alter database {router.database} allow_connections false")
    of_routers.execute(
        f"select pg_terminate_backend(pid, 60000) from pg_stat_activity where datname = '{router.database}'"  # noqa: S608
    )
    try:
        yield
    finally:
        of_routers.execute(f"alter database {router.database} allow_connections true")


@contextmanager
def new_shards(fleet: Fleet) -> Iterator[Shards]:
    """Databases of their own behind a router of its own."""
    database = f"shards_{next(_numbers)}"
    held = homes(list(fleet.servers))
    every = [*fleet.servers.values(), fleet.of_routers]
    for one in every:
        one.execute(f"create database {database} template {_TEMPLATE} strategy file_copy")
    _lead(fleet.of_routers.url(database), fleet, database, held)
    try:
        yield Shards(fleet, database, held)
    finally:
        for one in reversed(every):
            if not one.is_running:
                one.start()
            one.execute(f"drop database {database} with (force)")


@contextmanager
def away(shards: Shards, name: str) -> Iterator[None]:
    """A server that was killed, and comes back at the end."""
    server = shards.fleet.servers[name]
    server.stop()
    try:
        yield
    finally:
        server.start()


__all__ = [
    "Fleet",
    "Shards",
    "another_router",
    "away",
    "closed",
    "fleet_of",
    "homes",
    "new_shards",
    "router_text",
    "run_script",
]
