"""The engine, and ``call``, which calls one routine with the caller's claims in one round trip."""

from __future__ import annotations

import random
import time
from typing import Any

import psycopg
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import dict_row
from psycopg.types.string import TextLoader
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

__all__ = ["call", "call_procedure", "connect_engine", "run_script", "sqlstate"]

# Serialization failure and deadlock. A call is one transaction, so it can be repeated after them.
_RETRIED = {"40001", "40P01"}
_ATTEMPTS = 4
_FIRST_PAUSE_SECONDS = 0.01
# The statement was prepared before a migration changed what the routine returns.
_STALE_PLAN = "0A000"

_SET_CLAIMS = "select set_config('request.jwt.claims', %s, true)"


def connect_engine(
    url: URL, *, pool_size: int = 5, pool_timeout_seconds: int = 5, statement_timeout_seconds: int = 30
) -> Engine:
    """An engine on which each statement is a transaction of its own.

    It holds at most ``pool_size`` connections. A caller waits ``pool_timeout_seconds`` for one when all are in use.

    Columns of type json are returned as their exact text, columns of type jsonb as Python values. Options in the
    query of the URL (``?options=-c lock_timeout=1s``) override the options set here.
    """
    # A database of SQL_ASCII would otherwise answer with bytes instead of text.
    defaults = {"application_name": "pgreprise", "connect_timeout": "5", "client_encoding": "utf8"}
    options = f"-c statement_timeout={statement_timeout_seconds}s {url.query.get('options', '')}".strip()
    engine = create_engine(
        url.set(query={**defaults, **url.query, "options": options}),
        isolation_level="AUTOCOMMIT",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=pool_timeout_seconds,
        # Outputs are large and confidential, so they are kept out of the log.
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def keep_json_as_text(connection: psycopg.Connection[Any], _: object) -> None:
        connection.adapters.register_loader("json", TextLoader)

    return engine


def sqlstate(error: DBAPIError) -> str | None:
    """The SQLSTATE that PostgreSQL raised, None for an error that PostgreSQL did not raise."""
    return error.orig.sqlstate if isinstance(error.orig, psycopg.Error) else None


def _placeholder(name: str, value: object) -> str:
    # Without a cast psycopg sends an integer as int2, int4 or numeric, by its size, and no routine is found.
    match value:
        case bool():
            return f"{name} => %({name})s"
        case int():
            return f"{name} => %({name})s::bigint"
        case list():
            return f"{name} => %({name})s::bigint[]"
        case _:
            return f"{name} => %({name})s"


def _rows(
    connection: psycopg.Connection[Any],
    statement: str,
    arguments: dict[str, Any],
    claims: str | None,
    prepare: bool | None,
) -> list[dict[str, Any]]:
    cursor = connection.cursor(row_factory=dict_row)
    if claims is None:
        return cursor.execute(statement, arguments, prepare=prepare).fetchall()
    # One transaction, sent at once: the setting ends with the call, and a call that is interrupted leaves nothing.
    # The commit is explicit, because psycopg does not report an implicit commit that fails.
    failure: psycopg.Error | None = None
    try:
        with connection.pipeline():
            try:
                connection.execute("begin")
                connection.execute(_SET_CLAIMS, (claims,))
                cursor.execute(statement, arguments, prepare=prepare)
                connection.execute("commit")
            except psycopg.Error as error:
                # If this error left the pipeline, psycopg would log the errors that follow from it.
                failure = error
    except psycopg.Error as error:
        failure = failure or error
    if failure is not None:
        if connection.info.transaction_status == TransactionStatus.INERROR:
            connection.rollback()
        raise failure
    return cursor.fetchall()


def _run(
    connection: Connection, statement: str, arguments: dict[str, Any], claims: str | None, prepare: bool | None
) -> list[dict[str, Any]]:
    driver: psycopg.Connection[Any] | None = connection.connection.driver_connection
    assert driver is not None
    is_stale = False
    try:
        return _rows(driver, statement, arguments, claims, prepare)
    except psycopg.Error as error:
        is_stale = error.sqlstate == _STALE_PLAN
        # SQLAlchemy does the same with an error of a statement that it runs itself.
        raise DBAPIError.instance(
            statement, None, error, psycopg.Error, hide_parameters=True, connection_invalidated=driver.closed
        ) from error
    finally:
        # A connection that is lost, or was interrupted while data was sent, is not used again.
        is_idle = (driver.info.transaction_status, driver.info.pipeline_status) == (
            TransactionStatus.IDLE,
            PipelineStatus.OFF,
        )
        if is_stale or not is_idle:
            connection.invalidate()


def _execute(engine: Engine, statement: str, arguments: dict[str, Any], claims: str | None) -> list[dict[str, Any]]:
    prepare: bool | None = None
    for attempt in range(_ATTEMPTS):
        try:
            with engine.connect() as connection:
                return _run(connection, statement, arguments, claims, prepare)
        except DBAPIError as error:
            code = sqlstate(error)
            if attempt == _ATTEMPTS - 1:
                raise
            if code == _STALE_PLAN and prepare is None:
                # The next connection of the pool may hold an old plan, too.
                prepare = False
            elif code in _RETRIED:
                time.sleep(_FIRST_PAUSE_SECONDS * 2**attempt * (0.5 + random.random()))
            else:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def call(
    engine: Engine, routine: str, *, columns: str = "*", claims: str | None = None, **arguments: Any
) -> list[dict[str, Any]]:
    """Call a function and return its rows.

    ``routine`` and ``columns`` are ours, never input; arguments are passed by name. ``claims`` are
    those of a verified token, as the text of a JSON object: the routine sees them as the setting
    request.jwt.claims, and no later call does.
    After a deadlock or a serialization failure the call is repeated a few times, after a plan that a migration made
    stale once. Raises sqlalchemy.exc.DBAPIError for the error that remains.
    """
    given = ", ".join(_placeholder(name, value) for name, value in arguments.items())
    return _execute(engine, f"select {columns} from {routine}({given})", arguments, claims)  # noqa: S608


def call_procedure(engine: Engine, routine: str, *, claims: str | None = None, **arguments: Any) -> Any:
    """Call a procedure and return its ``result``. Arguments and errors are those of ``call``."""
    given = "".join(f"{_placeholder(name, value)}, " for name, value in arguments.items())
    [row] = _execute(engine, f"call {routine}({given}result => null)", arguments, claims)
    return row["result"]


def run_script(engine: Engine, script: str) -> list[dict[str, Any]]:
    """Run SQL text of ours without any change, in one transaction, and return the rows of its last statement.

    Raises sqlalchemy.exc.DBAPIError with the error of the database.
    """
    with engine.connect() as connection:
        driver: psycopg.Connection[Any] | None = connection.connection.driver_connection
        assert driver is not None
        try:
            cursor = driver.cursor(row_factory=dict_row).execute(script.encode())
            while cursor.nextset():
                pass
            return cursor.fetchall()
        except psycopg.Error as error:
            raise DBAPIError.instance(script, None, error, psycopg.Error, hide_parameters=True) from error
