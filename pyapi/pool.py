"""The engine: how connections are opened, checked before each use, and dropped; and how long a call may take.

Nothing that outlives a call is set in a session and nothing is asked of the start of one, so that a pooler in between
(PgBouncer in transaction mode) may give each call another server connection. A connection that the server closed, or
whose server became read only, is replaced before a call meets it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from socket import SHUT_RDWR, socket
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg.abc import Buffer, PQGen
from psycopg.pq import Format
from psycopg.types.datetime import TimestamptzBinaryLoader
from psycopg.types.string import TextBinaryLoader, TextLoader
from psycopg.waiting import Ready
from sqlalchemy import URL, Connection, Engine, PoolProxiedConnection, create_engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

__all__ = [
    "connect_engine",
    "driver_of",
    "drop_connections",
    "is_behind_pooler",
    "is_read_only",
    "limited",
    "prepare_nothing",
    "replayed_position",
]

# A connection is asked whether its server still answers, and may write, when that was last known longer ago.
CHECK_SECONDS = 5.0
# How long a server may take to answer that.
ANSWER_SECONDS = 5.0
# A call that did not end when it was cancelled: the server cannot be reached, and the connection is cut.
_CUT_SECONDS = 10.0
_TICK_SECONDS = 0.25

# libpq's own parameters, and two that every pooler takes: the name and the encoding. Without answers the operating
# system gives a connection up after a minute when it is idle, and after 15 seconds when data was sent.
_PARAMETERS = {
    "application_name": "pgreprise",
    "connect_timeout": "5",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    # A database of SQL_ASCII would otherwise answer with bytes instead of text.
    "client_encoding": "utf8",
}

# A pooler gives its clients numbers of its own making.
_LOOK = "select pg_catalog.pg_backend_pid(), pg_catalog.current_setting('transaction_read_only') = 'on'"

_IS_BEHIND_POOLER = "pgreprise.is_behind_pooler"
_OPENED_AT = "pgreprise.opened_at"
_CHECKED_AT = "pgreprise.checked_at"
_REPLAYED = "pgreprise.replayed"


@dataclass
class _Rules:
    """What holds for the connections of one engine; times are those of time.monotonic."""

    call_timeout_seconds: float
    wants_writer: bool
    # None: each connection finds out.
    is_pooled: bool | None
    # Connections that were opened earlier are not used again.
    opened_after: float = 0.0


class _UtcLoader(TimestamptzBinaryLoader):
    """Times in UTC, whatever time zone the database or the role has."""

    format = Format.BINARY

    def load(self, data: Buffer) -> datetime:
        return super().load(data).astimezone(UTC)


class _Patient(psycopg.Connection[Any]):
    """A connection for a process that gevent has patched.

    psycopg waits there by a poll that gevent imitates, a Python object and two events for each wait. A watcher of
    gevent's own costs a third of that.
    """

    def wait(self, gen: PQGen[Any], interval: float = 0.0, timeout: float | None = None) -> Any:
        """Run a generator of psycopg, which tells when it needs to wait for the socket."""
        if timeout is not None:
            return super().wait(gen, interval or _TICK_SECONDS, timeout)
        try:
            wanted = next(gen)
            while True:
                # The numbers for reading, writing and both are the same here and there.
                with closing(self._hub().loop.io(self.pgconn.socket, int(wanted))) as watcher:
                    self._hub().wait(watcher)
                wanted = gen.send(Ready(wanted))
        except StopIteration as end:
            return end.value

    @staticmethod
    def _hub() -> Any:
        # Not imported where nothing is patched.
        return sys.modules["gevent"].get_hub()


_rules: WeakKeyDictionary[Engine, _Rules] = WeakKeyDictionary()


def connect_engine(
    url: URL,
    *,
    pool_size: int = 5,
    pool_timeout_seconds: float = 5,
    call_timeout_seconds: float = 30,
    is_pooled: bool | None = None,
    wants_writer: bool = True,
) -> Engine:
    """An engine on which each statement is a transaction of its own.

    It holds at most ``pool_size`` connections. A caller waits ``pool_timeout_seconds`` for one when all are in use.
    A call (``pyapi.database``) that takes longer than ``call_timeout_seconds`` is cancelled; 0 is no limit.
    ``is_pooled`` says whether a transaction pooler is in between, where statements cannot be prepared; with None each
    connection finds out. With ``wants_writer`` a connection whose server became read only is dropped, and others are
    tried; a new one is used as it is.

    Columns of type json are returned as their exact text, columns of type jsonb as Python values.
    """
    engine = create_engine(
        url.set(query={**_PARAMETERS, **url.query}),
        isolation_level="AUTOCOMMIT",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=pool_timeout_seconds,
        # Outputs are large and confidential, so they are kept out of the log.
        hide_parameters=True,
        # A call leaves nothing to roll back, and its connection is given up where it might have.
        pool_reset_on_return=None,
    )
    rules = _rules[engine] = _Rules(call_timeout_seconds, wants_writer, is_pooled)

    @event.listens_for(engine, "do_connect")
    def open_connection(
        _dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]
    ) -> psycopg.Connection[Any]:
        return (_Patient if _is_patched() else psycopg.Connection).connect(*arguments, **options)

    @event.listens_for(engine, "connect")
    def get_to_know(connection: psycopg.Connection[Any], record: ConnectionPoolEntry) -> None:
        connection.adapters.register_loader("json", TextLoader)
        connection.adapters.register_loader("json", TextBinaryLoader)
        connection.adapters.register_loader("timestamptz", _UtcLoader)
        opened_at = time.monotonic()
        try:
            process, _ = _look(connection)
        except BaseException:
            # SQLAlchemy would leave it open.
            connection.close()
            raise
        pooled = process != connection.info.backend_pid if rules.is_pooled is None else rules.is_pooled
        if pooled:
            connection.prepare_threshold = None
        record.info.update({_IS_BEHIND_POOLER: pooled, _OPENED_AT: opened_at, _CHECKED_AT: opened_at})

    @event.listens_for(engine, "checkout")
    def check(connection: psycopg.Connection[Any], record: ConnectionPoolEntry, _: object) -> None:
        _require_open(connection)
        if record.info[_OPENED_AT] < rules.opened_after:
            raise DisconnectionError("the connections that were open then are not used again")
        now = time.monotonic()
        if now - record.info[_CHECKED_AT] > CHECK_SECONDS:
            try:
                with _deadlines.limit(connection, ANSWER_SECONDS, is_cut=True):
                    _, is_read_only = _look(connection)
            except psycopg.Error as error:
                raise DisconnectionError(str(error)) from error
            if is_read_only and rules.wants_writer:
                rules.opened_after = now
                raise DisconnectionError("the server became read only")
            record.info[_CHECKED_AT] = now

    return engine


def _is_patched() -> bool:
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and monkey.is_module_patched("select")


def _look(connection: psycopg.Connection[Any]) -> tuple[int, bool]:
    row = connection.execute(_LOOK, prepare=False).fetchone()
    assert row is not None
    process, is_read_only = row
    return process, is_read_only


def _require_open(connection: psycopg.Connection[Any]) -> None:
    """Raise DisconnectionError for a connection that the server closed. It asks the operating system, not the server.

    The first look reads what the server said when it closed the connection, the second one meets the end.
    """
    try:
        for _ in range(2):
            connection.pgconn.consume_input()
    except psycopg.OperationalError as error:
        raise DisconnectionError(str(error)) from error
    if connection.closed:
        raise DisconnectionError("the connection is closed")


def driver_of(connection: Connection) -> psycopg.Connection[Any]:
    """The driver's connection."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def is_behind_pooler(connection: Connection) -> bool:
    """Whether a transaction pooler is between here and the server. Asked outside a transaction."""
    driver = driver_of(connection)
    record = connection.connection.record_info or {}
    known: bool | None = record.get(_IS_BEHIND_POOLER)
    if known is not None:
        return known
    # An engine that was made elsewhere, as Alembic's command line has it, has not noted it.
    process, _ = _look(driver)
    if not driver.autocommit:
        driver.rollback()
    return process != driver.info.backend_pid


def is_read_only(connection: Connection) -> bool:
    """Whether nothing can be written: the server is a standby, or transactions are read only by default."""
    return _look(driver_of(connection))[1]


def replayed_position(connection: PoolProxiedConnection, wanted: int) -> int:
    """How far the server has written or, on a standby, replayed the log; asked anew where that was before ``wanted``.

    Raises psycopg.Error.
    """
    info = connection.record_info
    driver = connection.driver_connection
    assert info is not None
    assert isinstance(driver, psycopg.Connection)
    known: int = info.get(_REPLAYED, 0)
    if known < wanted:
        row = driver.execute("select pgreprise.wal_position()", prepare=False).fetchone()
        known = info[_REPLAYED] = row[0] if row else 0
    return known


def drop_connections(engine: Engine) -> bool:
    """Use none of the connections again that are open now: their server is not the one to write to.

    Returns whether another server is wanted at all.
    """
    rules = _rules.get(engine)
    if rules is None or not rules.wants_writer:
        return False
    rules.opened_after = time.monotonic()
    return True


def prepare_nothing(engine: Engine) -> None:
    """Take it that a transaction pooler is in between: prepared statements met those of other clients."""
    if (rules := _rules.get(engine)) is not None:
        rules.is_pooled = True
        rules.opened_after = time.monotonic()


# --- how long a call may take ------------------------------------------------------------------


class _Deadlines:
    """Cancels calls that take too long.

    The server could do that only with a setting in the session, which behind a pooler another client would find.
    One thread for all calls: a timer for each would cost as much as a short call.
    """

    def __init__(self) -> None:
        # Each with its deadline, and whether the connection is cut then and not asked to cancel.
        self._running: dict[int, tuple[float, psycopg.Connection[Any], bool]] = {}
        self._has_some = threading.Event()
        self._is_started = False
        self._lock = threading.Lock()

    @contextmanager
    def limit(self, connection: psycopg.Connection[Any], seconds: float, *, is_cut: bool = False) -> Iterator[None]:
        key = id(connection)
        self._running[key] = (time.monotonic() + seconds, connection, is_cut)
        if not self._is_started:
            self._start()
        if not self._has_some.is_set():
            self._has_some.set()
        try:
            yield
        finally:
            del self._running[key]

    def _start(self) -> None:
        with self._lock:
            if not self._is_started:
                threading.Thread(target=self._watch, name="pgreprise-deadlines", daemon=True).start()
                self._is_started = True

    def _watch(self) -> None:
        cancelled: dict[int, float] = {}
        while True:
            self._has_some.wait()
            if not self._running:
                self._has_some.clear()
                # A call that came in between has set it before, so it is looked for once more.
                if not self._running:
                    cancelled.clear()
                    continue
                self._has_some.set()
            now = time.monotonic()
            for key, (deadline, connection, is_cut) in list(self._running.items()):
                if deadline > now:
                    continue
                if is_cut:
                    _cut(connection)
                elif cancelled.get(key) != deadline:
                    cancelled[key] = deadline
                    threading.Thread(target=_cancel, args=(connection,), daemon=True).start()
                elif now - deadline > _CUT_SECONDS:
                    _cut(connection)
            time.sleep(_TICK_SECONDS)


def _cancel(connection: psycopg.Connection[Any]) -> None:
    # Where the server cannot be asked, the connection is cut a little later.
    with suppress(psycopg.Error):
        connection.cancel_safe(timeout=_CUT_SECONDS)


def _cut(connection: psycopg.Connection[Any]) -> None:
    """End the connection below libpq, whose own end is not safe while another thread waits in it."""
    with suppress(OSError, psycopg.Error), socket(fileno=connection.fileno()) as raw:
        try:
            raw.shutdown(SHUT_RDWR)
        finally:
            raw.detach()


_deadlines = _Deadlines()


@contextmanager
def limited(engine: Engine, connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Cancel what runs on the connection when it takes longer than a call of the engine may take."""
    rules = _rules.get(engine)
    if rules is None or not rules.call_timeout_seconds:
        yield
        return
    with _deadlines.limit(connection, rules.call_timeout_seconds):
        yield
