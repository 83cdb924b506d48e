"""The engine, and ``call``: one routine, one round trip, the caller's claims included."""

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

# The whole call is one transaction, so after these two it may simply be done again.
_RETRIED = {"40001", "40P01"}
_ATTEMPTS = 4
_FIRST_PAUSE_SECONDS = 0.01
# Of a statement that was prepared before a migration changed what the routine returns.
_STALE_PLAN = "0A000"

_SET_CLAIMS = "select set_config('request.jwt.claims', %s, true)"


def connect_engine(
    url: URL, *, pool_size: int = 5, pool_timeout_seconds: int = 5, statement_timeout_seconds: int = 30
) -> Engine:
    """An engine whose every statement is a transaction of its own.

    It holds at most ``pool_size`` connections; who finds all of them in use waits ``pool_timeout_seconds`` for one.

    Columns of type json come as their exact text, those of type jsonb as Python values. What the
    query of the URL says (``?options=-c lock_timeout=1s``) wins over what is set here.
    """
    defaults = {"application_name": "pgreprise", "connect_timeout": "5"}
    options = f"-c statement_timeout={statement_timeout_seconds}s {url.query.get('options', '')}".strip()
    engine = create_engine(
        url.set(query={**defaults, **url.query, "options": options}),
        isolation_level="AUTOCOMMIT",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=pool_timeout_seconds,
        # Outputs are large, and nobody's business in a log.
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def keep_json_as_text(connection: psycopg.Connection[Any], _: object) -> None:
        connection.adapters.register_loader("json", TextLoader)

    return engine


def sqlstate(error: DBAPIError) -> str | None:
    """The SQLSTATE that PostgreSQL raised; None where the error arose before it was asked."""
    return error.orig.sqlstate if isinstance(error.orig, psycopg.Error) else None


def _placeholder(name: str, value: object) -> str:
    # An untyped integer travels as int2, int4 or numeric by its size, and finds no routine.
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
    # One transaction, sent together: the setting lasts as long as the call, and a call that does not come to
    # its end leaves nothing. With a commit of its own, since psycopg cannot tell of one that fails at the Sync.
    failure: psycopg.Error | None = None
    try:
        with connection.pipeline():
            try:
                connection.execute("begin")
                connection.execute(_SET_CLAIMS, (claims,))
                cursor.execute(statement, arguments, prepare=prepare)
                connection.execute("commit")
            except psycopg.Error as error:
                # An answer that is already here. If it left the pipeline, psycopg would log what follows from it.
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
        # What SQLAlchemy makes of an error when it runs the statement itself.
        raise DBAPIError.instance(
            statement, None, error, psycopg.Error, hide_parameters=True, connection_invalidated=driver.closed
        ) from error
    finally:
        # Lost, or interrupted in the middle of an exchange.
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
                # The next connection of the pool may hold a plan as old.
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
    Raises sqlalchemy.exc.DBAPIError with what the database said. A deadlock or a serialization
    failure is tried again a few times first, a plan that a migration made stale once.
    """
    given = ", ".join(_placeholder(name, value) for name, value in arguments.items())
    return _execute(engine, f"select {columns} from {routine}({given})", arguments, claims)  # noqa: S608


def call_procedure(engine: Engine, routine: str, *, claims: str | None = None, **arguments: Any) -> Any:
    """Call a procedure and return its ``result``; otherwise as ``call``."""
    given = "".join(f"{_placeholder(name, value)}, " for name, value in arguments.items())
    [row] = _execute(engine, f"call {routine}({given}result => null)", arguments, claims)
    return row["result"]


def run_script(engine: Engine, script: str) -> list[dict[str, Any]]:
    """Run SQL text of ours exactly as it is, in one transaction, and return the rows of its last statement.

    Raises sqlalchemy.exc.DBAPIError with what the database said.
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
