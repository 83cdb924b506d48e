"""Rows of the application that would be lost with a cache row keep a rerun from deleting it, whoever asks, and how."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.databases import Connection
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.refusals import refusal
from tests.support.snapshots import snapshot
from tests.support.statements import one, rerun

ACTIONS = ("cascade", "set null", "set default")


def notes(connection: Connection) -> list[dict[str, Any]]:
    return connection.execute("select * from public.note order by text").fetchall()


@pytest.fixture(params=ACTIONS)
def report(request: pytest.FixtureRequest, sandbox: Connection) -> int:
    """An economy report whose cache row two notes of the application refer to."""
    set_versions(sandbox)
    made = add_economy_report(sandbox)[0]
    impact = add_reform_impact(sandbox)
    sandbox.execute(
        "create table public.note (text text, about integer default null references public.reform_impact "
        f"on delete {request.param}); grant select on public.note to pgreprise_owner"
    )
    sandbox.execute("insert into public.note values ('one', %s), ('two', %s)", (impact, impact))
    return made


CALLS: dict[str, str] = {
    "one": "call rerun_report({report})",
    "the cache alone": "select delete_reform_impacts('us', 2, 3, 'state/ny', 'default', '2025')",
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_rerun_is_refused_and_nothing_is_lost(sandbox: Connection, report: int, call: str) -> None:
    before, noted = snapshot(sandbox), notes(sandbox)
    said = refusal(sandbox, call.format(report=report))
    assert said.code == "RR021"
    assert "Rows of public.note refer to rows of public.reform_impact that would be deleted" in said.message
    assert said.hint == "Delete the rows of public.note first, or make the constraint one without an action."
    assert (snapshot(sandbox), notes(sandbox)) == (before, noted)


def many(connection: Connection, reports: list[int]) -> dict[str, Any]:
    result: dict[str, Any] = one(connection, "call rerun_reports(%s::bigint[])", reports)["result"]
    return result


def batch(connection: Connection, reports: list[int]) -> dict[str, Any]:
    made = one(connection, "select create_rerun_batch(%s) as id", json.dumps({"ids": reports}))["id"]
    result: dict[str, Any] = one(connection, "select rerun_batch_chunk(%s) as did", made)["did"]
    refused = connection.execute("select * from rerun_batch_refusals(%s)", (made,)).fetchall()
    return {**result, "refused": refused}


@pytest.mark.parametrize("work", [many, batch])
def test_among_many_only_that_report_is_refused(
    sandbox: Connection, report: int, work: Callable[[Connection, list[int]], dict[str, Any]]
) -> None:
    other = add_report(sandbox, add_simulation(sandbox, population_type="household"))
    noted = notes(sandbox)
    result = work(sandbox, [report, other])
    assert result["rerun"] == 1
    [refused] = result["refused"]
    assert (refused["report_id"], refused["errcode"]) == (report, "RR021")
    assert notes(sandbox) == noted
    assert one(sandbox, "select status from report_outputs where id = %s", report)["status"] == "complete"


def test_who_looks_is_told(sandbox: Connection, report: int) -> None:
    before, noted = snapshot(sandbox), notes(sandbox)
    listed = sandbox.execute("select * from rerun_preview(%s)", (report,)).fetchall()
    assert [(row["kind"], row["id"], row["errcode"]) for row in listed] == [
        ("report", report, "RR021"),
        ("reference", None, "RR021"),
    ]
    assert listed[1]["action"] == "2 rows of public.note would be lost with economy cache rows of the report"
    defect = one(sandbox, "select * from report_defects()")
    assert (defect["report_id"], defect["errcode"]) == (report, "RR021")
    wanted = json.dumps({"ids": [report]})
    assert one(sandbox, "select errcode from rerun_batch_preview(%s)", wanted)["errcode"] == "RR021"
    effects = one(sandbox, "select * from rerun_batch_effects(%s)", wanted)
    assert (effects["reports"], effects["refused"], effects["reform_impacts"]) == (0, 1, 0)
    assert (snapshot(sandbox), notes(sandbox)) == (before, noted)


def test_an_undo_that_would_overwrite_such_a_row_is_refused(sandbox: Connection, report: int) -> None:
    sandbox.execute("create temporary table kept as select * from public.note; delete from public.note")
    act = rerun(sandbox, report)["rerun_id"]
    newer = add_reform_impact(sandbox)
    sandbox.execute("insert into public.note select text, %s from kept", (newer,))
    before, noted = snapshot(sandbox), notes(sandbox)
    assert refusal(sandbox, "call undo_rerun(%s, force => true)", act).code == "RR021"
    assert (snapshot(sandbox), notes(sandbox)) == (before, noted)


def test_rows_that_cannot_be_seen_may_be_there(sandbox: Connection, report: int) -> None:
    sandbox.execute("revoke all on public.note from pgreprise_owner")
    said = refusal(sandbox, "call rerun_report(%s)", report)
    assert said.code == "RR021"
    assert "cannot be seen" in said.message
    assert said.hint == "Let its owner run: grant select on public.note to pgreprise_owner;"


def test_rows_in_a_schema_that_cannot_be_entered_may_be_there(sandbox: Connection, report: int) -> None:
    sandbox.execute("create schema away; alter table public.note set schema away")
    said = refusal(sandbox, "call rerun_report(%s)", report)
    assert said.code == "RR021"
    assert "cannot be seen" in said.message
    grants = "grant usage on schema away to pgreprise_owner; grant select on away.note to pgreprise_owner;"
    assert said.hint == f"Let its owner run: {grants}"
    sandbox.execute(grants.encode())
    assert "They would be lost" in refusal(sandbox, "call rerun_report(%s)", report).message


def test_when_nothing_refers_to_it_any_more_the_report_is_rerun(sandbox: Connection, report: int) -> None:
    sandbox.execute("delete from public.note")
    assert rerun(sandbox, report)["economy_cache_rows_deleted"] == 1
