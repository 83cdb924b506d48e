"""``call``, which calls one routine with the caller's claims: one statement, in a transaction of its own."""

from __future__ import annotations

import random
import time
from functools import lru_cache
from typing import Any, NamedTuple

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg.types.numeric import Int8
from sqlalchemy import Engine, PoolProxiedConnection
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from pyapi.pool import connect_engine, driver_of, drop_connections, limited, prepare_nothing, replayed_position

__all__ = [
    "READ_ONLY",
    "READ_ONLY_HINT",
    "BehindError",
    "Request",
    "call",
    "call_procedure",
    "connect_engine",
    "is_passing",
    "run_script",
    "sqlstate",
]

# Serialization failure and deadlock. A call is one transaction, so it can be repeated after them.
_RETRIED = ("40001", "40P01")
_ATTEMPTS = 4
_FIRST_PAUSE_SECONDS = 0.01
# The statement was prepared before a migration changed what the routine returns.
_STALE_PLAN = "0A000"
# The server is a standby now. It refused the call before anything was done.
READ_ONLY = "25006"
READ_ONLY_HINT = (
    "It is a standby, or default_transaction_read_only is on. Let DATABASE_URL name the primary, or all servers, as "
    "postgresql://user@host1,host2/database?target_session_attrs=read-write."
)
# Prepared statements of another client, or none: there is a pooler in between that keeps the server's process numbers.
_POOLED = {"26000", "42P05"}

# The beginnings of what a database raises that is away, read only or busy, or a router of which a server is. It may
# come back.
_PASSING = ("08", READ_ONLY, *_RETRIED, "53", "55P03", "57", "RR034", "RR035")


class Request(NamedTuple):
    """The request that a call belongs to; the acts that it does are recorded with it."""

    request_id: str
    client_address: str | None


class BehindError(Exception):
    """The server is a standby that has not yet replayed the log as far as the caller needs."""


def sqlstate(error: DBAPIError) -> str | None:
    """The SQLSTATE that PostgreSQL raised, None for an error that PostgreSQL did not raise."""
    return error.orig.sqlstate if isinstance(error.orig, psycopg.Error) else None


def is_passing(error: DBAPIError) -> bool:
    """Whether the call may succeed later: the database is away, read only or busy, or the connection was lost."""
    code = sqlstate(error)
    if code is None:
        return isinstance(error.orig, psycopg.OperationalError | psycopg.InterfaceError)
    return code.startswith(_PASSING)


class _Statement(NamedTuple):
    """A statement that calls a routine. Its parameters $1, $2, ... are the arguments, then what called_by gets."""

    text: str
    # How many of the claims, the request's id and the client's address called_by gets.
    brought: int


# Without a type psycopg sends an integer as int2, int4 or numeric, by its size, and no routine is found. A statement
# that the session has prepared would be prepared again for each of them.
_LEAST, _MOST = -(2**63), 2**63 - 1
_NUMBER, _NUMBERS, _TEXTS, _OTHER = "::bigint", "::bigint[]", "::text[]", ""


def _kind(value: object) -> str:
    match value:
        case bool():
            return _OTHER
        case int():
            return _NUMBER
        case [str(), *_]:
            return _TEXTS
        case list():
            return _NUMBERS
        case _:
            return _OTHER


# The routines and the ways in which they are called are those that the program text has.
@lru_cache(maxsize=1024)
def _statement(
    routine: str, columns: str | None, names: tuple[str, ...], kinds: tuple[str, ...], brought: int
) -> _Statement:
    """The statement that calls a function, or a procedure where ``columns`` is None.

    ``brought`` is how much called_by gets besides the number; 0 where it is not called. The claims are there before the
    routine begins: an argument is evaluated before its function is called. Without a number to carry the claims, a row
    that the function depends on brings them: what is lateral to a row comes after it.
    """
    values = [f"${number}{kind}" for number, kind in enumerate(kinds, 1)]
    claims = "".join(f"${number}, " for number in range(len(names) + 1, len(names) + 1 + min(brought, 1)))
    request = "".join(f", ${number}" for number in range(len(names) + 2, len(names) + 1 + brought))
    carrier = kinds.index(_NUMBER) if brought and _NUMBER in kinds else None
    if carrier is not None:
        values[carrier] = f"pgreprise.called_by({claims}{values[carrier]}{request})"
    given = ", ".join(f"{name} => {value}" for name, value in zip(names, values, strict=True))
    if columns is None:
        if brought and carrier is None:
            raise ValueError(f"{routine} has no number that carries the claims")
        text = f"call {routine}({given}, result => null)"
    elif not brought or carrier is not None:
        text = f"select {columns} from {routine}({given})"  # noqa: S608
    else:
        text = (
            f"select {'answer.*' if columns == '*' else columns} "  # noqa: S608
            f"from (select pgreprise.called_by({claims}1{request}) as number offset 0) as caller, "
            f"lateral (select * from {routine}({given}) where caller.number = 1) as answer"
        )
    return _Statement(text, brought)


def _asked(
    routine: str, columns: str | None, arguments: dict[str, Any], claims: str | None, request: Request | None
) -> tuple[str, list[Any]]:
    """The statement of a call, and the values of its parameters."""
    values = list(arguments.values())
    kinds = tuple(map(_kind, values))
    brought: tuple[str | None, ...] = () if claims is None else (claims,)
    if request is not None:
        brought = (claims, *request)
    statement = _statement(routine, columns, tuple(arguments), kinds, len(brought))
    return statement.text, [
        # A larger one goes as numeric, and PostgreSQL says what is wrong with it.
        *(
            Int8(value) if kind is _NUMBER and _LEAST <= value <= _MOST else value
            for value, kind in zip(values, kinds, strict=True)
        ),
        *brought,
    ]


def _connect(engine: Engine) -> PoolProxiedConnection:
    try:
        # What SQLAlchemy's own connection adds is not needed for a call, and costs a tenth of it.
        return engine.raw_connection()
    except psycopg.Error as error:
        raise DBAPIError.instance("connect", None, error, psycopg.Error, hide_parameters=True) from error
    except InvalidRequestError as error:
        # The connection was lost while the pool checked it, and somebody else has closed it.
        lost = psycopg.OperationalError("the connection was closed")
        raise DBAPIError.instance("connect", None, lost, psycopg.Error, connection_invalidated=True) from error


def _run(
    engine: Engine, statement: str, values: list[Any], prepare: bool | None, not_before: int
) -> list[dict[str, Any]]:
    connection = _connect(engine)
    driver: psycopg.Connection[Any] = connection.driver_connection  # type: ignore[assignment]
    is_stale = False
    try:
        cursor = psycopg.RawCursor(driver, row_factory=dict_row)
        with limited(engine, driver):
            if not_before and replayed_position(connection, not_before) < not_before:
                raise BehindError
            # Binary, so that no DateStyle or IntervalStyle of the database or the role changes what is read.
            return cursor.execute(statement, values, prepare=prepare, binary=True).fetchall()
    except psycopg.Error as error:
        is_stale = error.sqlstate in {_STALE_PLAN, *_POOLED}
        # SQLAlchemy does the same with an error of a statement that it runs itself.
        raise DBAPIError.instance(
            statement, None, error, psycopg.Error, hide_parameters=True, connection_invalidated=driver.closed
        ) from error
    finally:
        # A connection that is lost, or was interrupted while data was sent, is not used again.
        if is_stale or driver.pgconn.transaction_status != TransactionStatus.IDLE:
            connection.invalidate()
        connection.close()


def _execute(
    engine: Engine, statement: str, values: list[Any], *, is_reading: bool = False, not_before: int = 0
) -> list[dict[str, Any]]:
    prepare: bool | None = None
    has_reconnected = False
    for attempt in range(_ATTEMPTS):
        try:
            return _run(engine, statement, values, prepare, not_before)
        except DBAPIError as error:
            code = sqlstate(error)
            if attempt == _ATTEMPTS - 1:
                raise
            if code == _STALE_PLAN and prepare is None:
                # The next connection of the pool may hold an old plan, too.
                prepare = False
            elif code in _POOLED and prepare is None:
                prepare_nothing(engine)
                prepare = False
            elif code == READ_ONLY and not has_reconnected and drop_connections(engine):
                has_reconnected = True
            elif error.connection_invalidated and is_reading and not has_reconnected:
                # It was lost during the call. Only of a call that reads is it known that it may be done again.
                has_reconnected = True
            elif code in _RETRIED:
                time.sleep(_FIRST_PAUSE_SECONDS * 2**attempt * (0.5 + random.random()))
            else:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def call(
    engine: Engine,
    routine: str,
    *,
    columns: str = "*",
    claims: str | None = None,
    request: Request | None = None,
    is_reading: bool = False,
    not_before: int = 0,
    **arguments: Any,
) -> list[dict[str, Any]]:
    """Call a function and return its rows.

    ``routine`` and ``columns`` are ours, never input; arguments are passed by name. ``claims`` are
    those of a verified token, as the text of a JSON object: the routine sees them as the setting
    request.jwt.claims, and no later call does. The same is true of the ``request``.
    After a deadlock or a serialization failure the call is repeated a few times; once after a plan that a migration
    made stale, and on a new connection where the server had become read only. A call that ``is_reading`` is repeated
    once where the connection was lost. Nothing is called where the server has not come to ``not_before`` in the
    write-ahead log, a number of pgreprise.wal_position.
    Raises BehindError for such a server, and sqlalchemy.exc.DBAPIError for the error that remains.
    """
    statement, values = _asked(routine, columns, arguments, claims, request)
    return _execute(engine, statement, values, is_reading=is_reading, not_before=not_before)


def call_procedure(
    engine: Engine, routine: str, *, claims: str | None = None, request: Request | None = None, **arguments: Any
) -> Any:
    """Call a procedure and return its ``result``. Arguments and errors are those of ``call``.

    With claims or a request the procedure needs an argument that is a number, which carries them.
    """
    statement, values = _asked(routine, None, arguments, claims, request)
    [row] = _execute(engine, statement, values)
    return row["result"]


def run_script(engine: Engine, script: str) -> list[dict[str, Any]]:
    """Run SQL text of ours without any change, in one transaction, and return the rows of its last statement.

    Raises sqlalchemy.exc.DBAPIError with the error of the database.
    """
    with engine.connect() as connection:
        try:
            cursor = driver_of(connection).cursor(row_factory=dict_row).execute(script.encode())
            while cursor.nextset():
                pass
            return cursor.fetchall()
        except psycopg.Error as error:
            raise DBAPIError.instance(script, None, error, psycopg.Error, hide_parameters=True) from error
