"""The preview of an undo says what the undo does and what stands in its way, and an undo with its token keeps to it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.databases import Connection
from tests.support.factories import add_economy_report, add_reform_impact, set_versions
from tests.support.refusals import Refusal
from tests.support.snapshots import everything
from tests.support.statements import rerun

UNDO = "call undo_rerun(%s::bigint, force => %s, seen => %s)"
KEYED = "call undo_rerun(%s::bigint, idempotency_key => %s)"


def preview(connection: Connection, rerun_id: int) -> list[dict[str, Any]]:
    """The rows of a preview of an undo; only the first has the token."""
    rows = connection.execute("select * from undo_preview(%s)", (rerun_id,)).fetchall()
    assert [row["seen"] for row in rows[1:]] == [None] * (len(rows) - 1)
    return rows


def said(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        tuple(row[name] for name in ("kind", "id", "status", "action", "obstacle", "can_be_forced")) for row in rows
    ]


def seen_of(connection: Connection, rerun_id: int) -> str:
    return str(preview(connection, rerun_id)[0]["seen"])


def moved(refused: Refusal) -> list[tuple[str, str, str | None, str | None]]:
    assert refused.code == "RR029"
    assert refused.detail is not None
    return [(thing["kind"], thing["id"], thing["was"], thing["is"]) for thing in refused.detail["moved"]]


@pytest.fixture
def ids(sandbox: Connection) -> tuple[int, int, int, int]:
    """A computed economy report, its two simulations and a row of its cache."""
    set_versions(sandbox)
    return (*add_economy_report(sandbox), add_reform_impact(sandbox))


def test_nothing_is_in_the_way_right_after_a_rerun(sandbox: Connection, ids: tuple[int, int, int, int]) -> None:
    report, first, second, impact = ids
    act = rerun(sandbox, report)["rerun_id"]
    before = everything(sandbox)
    rows = preview(sandbox, act)
    assert everything(sandbox) == before
    assert said(rows) == [
        ("report", report, "pending", "complete, as run 3: the result of run 1 comes back", None, None),
        ("simulation", first, "pending", "complete, as run 3: the result of run 1 comes back", None, None),
        ("simulation", second, "pending", "complete, as run 3: the result of run 1 comes back", None, None),
        ("reform_impact", impact, None, "put back, status ok", None, None),
    ]
