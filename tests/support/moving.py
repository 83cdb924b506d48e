"""Databases of which one has reports and others are new, to move logical shards between."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import URL

from pyapi.schema import migrate
from tests.support.command import PROGRAM, Done, environment, run_here, succeeded
from tests.support.databases import Connection, connect, engine, plain, rows
from tests.support.projects import PROJECT
from tests.support.report_host import load_host
from tests.support.workers import until

_PAGE = PROJECT / "docs" / "how-to" / "scale.md"
HOST_TABLES = ("report_outputs", "simulations", "reform_impact", "report_output_runs", "simulation_runs")


_MOVERS = "select pid from pg_stat_activity where application_name = 'pgreprise' and datname = current_database()"


def type_as_the_page(server: Connection, shard: int, words: str) -> None:
    """Type the line of the page that has these words, about this logical shard; the page has 17, 18 or 19 for it."""
    [typed] = re.findall(rf"^    psql .*{words}.*$", _PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    statements = re.findall(r"-c '([^']*)'", typed)
    assert statements
    for statement in statements:
        statement = re.sub(r"\(1[789]\b", f"({shard}", statement.replace("$$", "'"))
        server.execute(re.sub(r"(?<=shard_ids_)1[789]\b", f"{shard:02}", statement).encode())


class Mover:
    """A command as a process of its own, which begins when it is told to."""

    def __init__(self, arguments: tuple[str, ...], settings: dict[str, str]) -> None:
        self._arguments = arguments
        self._settings = settings
        self._process: subprocess.Popen[str] | None = None
        self.output, self.errors = "", ""

    def release(self) -> None:
        """Let it begin."""
        self._process = subprocess.Popen(
            [PROGRAM, "shard", *self._arguments],
            env=environment(**self._settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def wait_until_blocked(self, server: Connection) -> None:
        """Wait until it waits for a lock on a server."""
        blocked = f"select from ({_MOVERS} and cardinality(pg_blocking_pids(pid)) > 0) as mover"
        until(lambda: self._running() and server.execute(blocked.encode()).fetchall())

    def _running(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._process.communicate()
        return True

    def ended(self) -> int:
        """Wait for its end; the exit code. Then ``output`` and ``errors`` are what it said."""
        assert self._process is not None
        self.output, self.errors = self._process.communicate(timeout=120)
        return self._process.returncode

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it as a crash of its machine would."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.communicate(timeout=60)


@dataclass(frozen=True)
class Fleet:
    """Servers by name, as databases, and the commands for them."""

    urls: dict[str, URL]
    settings: dict[str, str]

    def do(self, *arguments: str) -> Done:
        """Run a command of the group ``shard``."""
        return run_here("shard", *arguments, **self.settings)

    def did(self, *arguments: str) -> str:
        """The same, which has to succeed; what it printed."""
        return succeeded(self.do(*arguments))

    def move(self, shards: str, target: str) -> Done:
        """Move logical shards, without a router."""
        return self.do("move", shards, "--to", target, "--no-router")

    @contextmanager
    def started(self, *arguments: str) -> Iterator[Mover]:
        """A command of the group ``shard`` as a process; it is ended with the block."""
        process = Mover(arguments, self.settings)
        try:
            yield process
        finally:
            process.kill()

    def rows(self, query: str, *values: object) -> dict[str, list[dict[str, Any]]]:
        """What each server answers."""
        return {name: rows(url, query, *values) for name, url in self.urls.items()}

    def holders(self) -> dict[int, list[str]]:
        """The servers that have each logical shard, live."""
        found: dict[int, list[str]] = {number: [] for number in range(64)}
        for name, states in self.rows("select * from pgreprise.logical_shard").items():
            for row in states:
                if row["state"] in ("held", "leaving"):
                    found[row["logical_shard"]].append(name)
        return found

    def state(self, name: str, shard: int) -> str:
        """What a server says of a logical shard."""
        [row] = rows(self.urls[name], "select state from pgreprise.logical_shard where logical_shard = %s", shard)
        state: str = row["state"]
        return state

    def contents(self) -> dict[str, list[str]]:
        """All rows of all tables whose rows move, over all servers, as text, without positions in the feed."""
        found: dict[str, list[str]] = {}
        for url in self.urls.values():
            with connect(url) as connection:
                for table in connection.execute("select * from pgreprise.shard_tables()").fetchall():
                    columns = ", ".join(f'"{name}"' for name in table["columns"] if name != "feed_position")
                    found.setdefault(table["table_name"], []).extend(
                        row["line"]
                        for row in connection.execute(
                            f"select row({columns})::text as line from {table['table_name']}".encode()  # noqa: S608
                        )
                    )
        return {name: sorted(lines) for name, lines in found.items()}


@contextmanager
def restored(fleet: Fleet, name: str) -> Iterator[None]:
    """At the end of the block a server is restored from a backup of its beginning. Nobody else is connected then."""
    database, backup = (sql.Identifier(f"{fleet.urls[name].database}{end}") for end in ("", "_backup"))
    with connect(fleet.urls[name].set(database="postgres")) as connection:
        connection.execute(sql.SQL("create database {} template {}").format(backup, database))
        yield
        connection.execute(sql.SQL("drop database {}").format(database))
        connection.execute(sql.SQL("alter database {} rename to {}").format(backup, database))


def emptied(connection: Connection) -> None:
    """Delete the rows of the application, as a schema-only dump of it begins."""
    for table in HOST_TABLES:
        [found] = connection.execute("select to_regclass(%s) as there", (f"public.{table}",)).fetchall()
        if found["there"]:
            connection.execute(f"delete from public.{table}".encode())  # noqa: S608


def named(urls: Mapping[str, URL]) -> str:
    """Servers, or routers, as a setting names them."""
    return " ".join(f"{name}={plain(url)}" for name, url in urls.items())


@contextmanager
def fleet_of(
    server: URL, new_database: Callable[..., DatabaseJanitor], templates: dict[str, str], names: str
) -> Iterator[Fleet]:
    """A server for each letter: the first one with the reports of the template, the others empty."""
    with ExitStack() as closing:
        urls = {}
        for name in names:
            made = closing.enter_context(new_database(templates["empty" if urls else "full"]))
            urls[name] = server.set(database=made.dbname)
        yield Fleet(urls, {"PGREPRISE_SHARDS": named(urls)})


def make_templates(
    server: URL, new_database: Callable[..., DatabaseJanitor], closing: ExitStack, host: str
) -> dict[str, str]:
    """The names of two databases with every migration: with the rows of a host, and without."""
    made = {}
    for kind in ("full", "empty"):
        janitor = closing.enter_context(new_database())
        url = server.set(database=janitor.dbname)
        load_host(host, url)
        if kind == "empty":
            with connect(url) as connection:
                emptied(connection)
        migrate.upgrade(engine(url))
        made[kind] = janitor.dbname
    return made
