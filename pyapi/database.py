"""The engine, and ``call``: one routine, one round trip."""

from __future__ import annotations

import random
import time
from typing import Any

import psycopg
from psycopg.types.string import TextLoader
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

__all__ = ["call", "call_procedure", "connect_engine", "sqlstate"]

# The whole call is one transaction, so after these two it may simply be done again.
_RETRIED = {"40001", "40P01"}
_ATTEMPTS = 4
_FIRST_PAUSE_SECONDS = 0.01


def connect_engine(url: URL, *, pool_size: int = 5, statement_timeout_seconds: int = 30) -> Engine:
    """An engine whose every statement is a transaction of its own.

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
        pool_timeout=5,
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


def _execute(engine: Engine, statement: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    for attempt in range(_ATTEMPTS):
        try:
            with engine.connect() as connection:
                rows = connection.exec_driver_sql(statement, arguments).mappings().all()
                return [dict(row) for row in rows]
        except DBAPIError as error:
            if sqlstate(error) not in _RETRIED or attempt == _ATTEMPTS - 1:
                raise
            time.sleep(_FIRST_PAUSE_SECONDS * 2**attempt * (0.5 + random.random()))
    raise AssertionError("unreachable: the last attempt returns or raises")


def call(engine: Engine, routine: str, *, columns: str = "*", **arguments: Any) -> list[dict[str, Any]]:
    """Call a function and return its rows.

    ``routine`` and ``columns`` are ours, never input; arguments are passed by name.
    Raises sqlalchemy.exc.DBAPIError with what the database said. A deadlock or a serialization
    failure is tried again a few times first.
    """
    given = ", ".join(_placeholder(name, value) for name, value in arguments.items())
    return _execute(engine, f"select {columns} from {routine}({given})", arguments)  # noqa: S608


def call_procedure(engine: Engine, routine: str, **arguments: Any) -> Any:
    """Call a procedure and return its ``result``; otherwise as ``call``."""
    given = "".join(f"{_placeholder(name, value)}, " for name, value in arguments.items())
    [row] = _execute(engine, f"call {routine}({given}result => null)", arguments)
    return row["result"]
