"""What the database says when it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from sqlalchemy.exc import DBAPIError

from tests.support.databases import Connection
from tests.support.snapshots import State, everything


class Refusal(NamedTuple):
    """Code, message, detail as the JSON object that it is, hint."""

    code: str | None
    message: str | None
    detail: dict[str, Any] | None
    hint: str | None


def _undone(connection: Connection) -> AbstractContextManager[Any]:
    """Undo what the block does. Outside a transaction its error does: a router calls no procedure within one."""
    is_inside = connection.info.transaction_status != TransactionStatus.IDLE
    return connection.transaction() if is_inside or not connection.autocommit else nullcontext()


def refusal(
    connection: Connection, statement: str, *arguments: Any, look: Callable[[Connection], State] = everything
) -> Refusal:
    """Run a statement that the database must refuse, and return what it says. Nothing that ``look`` sees may change."""
    before = look(connection)
    with pytest.raises(psycopg.Error) as caught, _undone(connection):
        connection.execute(statement, arguments)
    assert look(connection) == before
    said = caught.value.diag
    detail = json.loads(said.message_detail) if said.message_detail else None
    return Refusal(said.sqlstate, said.message_primary, detail, said.message_hint)


@contextmanager
def refuses(connection: Connection, code: str, message: str | None = None, *, contains: str = "") -> Iterator[None]:
    """The body ends in an error of the database with this SQLSTATE and message, and nothing has changed after it."""
    before = everything(connection)
    with pytest.raises(psycopg.Error) as caught, _undone(connection):
        yield
    assert everything(connection) == before
    said = caught.value.diag
    assert said.sqlstate == code, said.message_primary
    assert message in (None, said.message_primary)
    assert contains in (said.message_primary or "")


@contextmanager
def refused_with(code: str, message: str | None = None) -> Iterator[pytest.ExceptionInfo[DBAPIError]]:
    """The body ends in an error of SQLAlchemy with this SQLSTATE, whose text has the pattern ``message`` in it."""
    with pytest.raises(DBAPIError, match=message) as caught:
        yield caught
    assert isinstance(caught.value.orig, psycopg.Error)
    assert caught.value.orig.sqlstate == code


def detail(error: DBAPIError) -> str:
    """The detail of an error."""
    assert isinstance(error.orig, psycopg.Error)
    assert error.orig.diag.message_detail is not None
    return error.orig.diag.message_detail


def problems(error: DBAPIError) -> list[str]:
    """What stands in the way of a migration, as the detail of its error tells it."""
    return [line.removeprefix("-- ") for line in detail(error).splitlines() if line.startswith("-- ")]


def remedies(error: DBAPIError) -> list[str]:
    """The statements in the detail of such an error."""
    return [line for line in detail(error).splitlines() if not line.startswith("-- ")]
