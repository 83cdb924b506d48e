"""The servers that hold logical shards, and connections to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row
from sqlalchemy import URL

__all__ = ["PoolerError", "Server", "ShardError", "connect", "connected", "facts_of", "only_mover", "pipe", "places_of"]

Connection = psycopg.Connection[dict[str, Any]]

# The name of the lock that a command holds on each server while it moves anything.
_LOCK = "select pg_advisory_lock(hashtext('pgreprise.move'), 0)"
# A target waits in its transaction while the source lets go; and a commit that is told must be on the disk.
_SETTINGS = (
    "set lock_timeout = '10s'; set statement_timeout = 0; set idle_in_transaction_session_timeout = 0; "
    "set synchronous_commit = on"
)


class ShardError(Exception):
    """What a command cannot do with these servers. The message says what was done, and how to go on."""


class PoolerError(ShardError):
    """A connection that goes through a pooler, where what a command sets and locks would stay for others."""


class Server:
    """A server by the name that it has in PGREPRISE_SHARDS, or a router."""

    def __init__(self, name: str, connection: Connection, url: URL, title: str) -> None:
        """title: how messages begin that it is the cause of."""
        self.name = name
        self.title = title
        self.connection = connection
        self.url = url

    def ask(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """The rows of a query."""
        with self.telling():
            return self.connection.execute(statement.encode(), values or None).fetchall()

    def run(self, statement: str, *values: object) -> None:
        """Run a statement."""
        with self.telling():
            self.connection.execute(statement.encode(), values or None)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Name this server where the database raises an error."""
        try:
            yield
        except psycopg.Error as error:
            raise _told(self.title, error) from error


def _told(title: str, error: psycopg.Error) -> ShardError:
    diagnostic = error.diag
    if diagnostic.message_primary is None:
        return ShardError(f"{title}: {' '.join(str(error).split())}")
    code = f" ({error.sqlstate})" if error.sqlstate else ""
    hint = f" {diagnostic.message_hint}" if diagnostic.message_hint else ""
    where = f" {diagnostic.message_detail}" if diagnostic.message_detail and diagnostic.message_detail[0] != "{" else ""
    return ShardError(f"{title}: {diagnostic.message_primary}{code}{where}{hint}")


def connect(name: str, url: URL, *, title: str | None = None) -> Server:
    """A connection of its own to a server; each statement commits by itself. Raises ShardError, PoolerError."""
    title = title or f"Server {name}"
    parameters = {name: value if isinstance(value, str) else ",".join(value) for name, value in url.query.items()}
    given = url.translate_connect_args(username="user", database="dbname")
    try:
        connection = psycopg.connect(
            make_conninfo(
                **{"application_name": "pgreprise", "connect_timeout": "10", "client_encoding": "utf8", **parameters},
                **given,
            ),
            autocommit=True,
            row_factory=dict_row,
            # Nothing that stays in a session; and a long copy is one statement.
            prepare_threshold=None,
        )
    except psycopg.Error as error:
        raise _told(title, error) from error
    server = Server(name, connection, url, title)
    try:
        _require_no_pooler(server)
        server.run(_SETTINGS)
    except BaseException:
        connection.close()
        raise
    return server


def _require_no_pooler(server: Server) -> None:
    [row] = server.ask("select pg_backend_pid() as process")
    # A pooler gives its clients numbers of its own making.
    if row["process"] != server.connection.info.backend_pid:
        raise PoolerError(
            f"{server.title}: the connection goes through a pooler (PgBouncer or its like). Nothing was changed. "
            "Its URL must name the server itself; that of a router is PGREPRISE_MIGRATION_URL, or in PGREPRISE_ROUTERS."
        )


@contextmanager
def connected(urls: Mapping[str, URL], *, need: bool = True) -> Iterator[dict[str, Server | ShardError]]:
    """Connections to servers by name. Without ``need`` what is away is the error in the place of a server."""
    servers: dict[str, Server | ShardError] = {}
    with ExitStack() as closing:
        for name, url in urls.items():
            try:
                server = connect(name, url)
            except ShardError as error:
                if need:
                    raise
                servers[name] = error
            else:
                closing.callback(server.connection.close)
                servers[name] = server
        yield servers


def only_mover(server: Server) -> None:
    """Let no other command move anything from or to the server. Raises ShardError where one does."""
    # The connection of a command that has just ended may be there for a moment yet.
    server.run("set lock_timeout = '2s'")
    try:
        server.run(_LOCK)
    except ShardError as error:
        if not isinstance(error.__cause__, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected):
            raise
        raise ShardError(
            f"Server {server.name}: another command is moving logical shards from or to it. Nothing was changed. "
            "Wait until it has ended."
        ) from error
    server.run(_SETTINGS)


def places_of(server: Server) -> dict[int, dict[str, Any]]:
    """The logical shards as a server knows them. Raises ShardError for a database that is no shard."""
    places = {row["logical_shard"]: row for row in server.ask("select * from pgreprise.shard_places()")}
    if not places:
        raise ShardError(f"Server {server.name} is not prepared. Type: pgreprise shard prepare {server.name}")
    return places


def facts_of(server: Server) -> dict[str, Any]:
    """What a server says of itself: its ids, routines, settings, versions; see shard_facts."""
    [row] = server.ask("select pgreprise.shard_facts() as facts")
    facts: dict[str, Any] = row["facts"]
    return facts


def pipe(source: Server, taken: str, target: Server, given: str) -> None:
    """Let a server write what another one has: a statement ``copy ... to stdout`` into one ``copy ... from stdin``."""
    with (
        source.connection.cursor() as reader,
        target.connection.cursor() as writer,
        target.telling(),
        writer.copy(given.encode()) as into,
        source.telling(),
        reader.copy(taken.encode()) as from_,
    ):
        for block in from_:
            with target.telling():
                into.write(block)
