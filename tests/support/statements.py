"""What people type into psql: a statement that gives one row, a rerun, its undo, the newest act."""

from __future__ import annotations

from typing import Any

from tests.support.databases import Connection


def one(connection: Connection, statement: str, *arguments: Any) -> dict[str, Any]:
    """Run a statement and return its first row."""
    row = connection.execute(statement, arguments).fetchone()
    assert row is not None, f"no row from: {statement}"
    return dict(row)


def rerun(connection: Connection, report_id: int | None, country_id: str | None = None) -> dict[str, Any]:
    """Rerun a report as a DBA types it and return its result."""
    called = one(connection, "call rerun_report(%s::bigint, country_id => %s)", report_id, country_id)
    result: dict[str, Any] = called["result"]
    return result


def undo(connection: Connection, rerun_id: int, *, force: bool = False) -> dict[str, Any]:
    """Undo an act as a DBA types it and return its result."""
    result: dict[str, Any] = one(connection, "call undo_rerun(%s, %s)", rerun_id, force)["result"]
    return result


def newest_act(connection: Connection) -> dict[str, Any]:
    """The row of pgreprise.rerun that was written last."""
    return one(connection, "select * from pgreprise.rerun order by rerun_id desc limit 1")
