"""A finished run is not un-finished: what may be written to a complete or failed report or simulation."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.concurrency import waiting_for_a_lock
from tests.support.databases import Connect, Connection
from tests.support.factories import ODD_JSON, add_report, add_simulation, set_versions
from tests.support.refusals import refusal
from tests.support.snapshots import everything, snapshot
from tests.support.statements import one

KINDS = ("report", "simulation")
TABLES = {"report": "report_outputs", "simulation": "simulations"}
FINISHED: dict[str, dict[str, Any]] = {
    "complete": {"status": "complete", "output": '{"a": [1, 2], "b": 1.0}', "error_message": None},
    "complete with an error": {"status": "complete", "output": "[]", "error_message": "slow"},
    "error": {"status": "error", "output": None, "error_message": "worker lost"},
    "error without a message": {"status": "error", "output": '{"half": 1}', "error_message": None},
}


def add(connection: Connection, kind: str, **values: Any) -> int:
    return add_simulation(connection, **values) if kind == "simulation" else add_report(connection, 1, **values)


def update(kind: str, values: dict[str, Any]) -> str:
    given = ", ".join(f"{name} => %s" for name in values)
    return f"select got.*, got.output::text as output from update_{kind}(%s, 'us', {given}) as got"  # noqa: S608


OTHERS = [
    {"status": "pending"},
    {"status": "running"},
    {"status": "complete", "output": '{"late": 1}'},
    {"status": "error", "error_message": "late"},
    {"output": '{"late": 1}'},
    {"output": "null"},
    {"error_message": "late"},
    {"error_message": ""},
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("finished", FINISHED)
@pytest.mark.parametrize("values", OTHERS, ids=str)
def test_a_finished_run_is_not_changed(sandbox: Connection, kind: str, finished: str, values: dict[str, Any]) -> None:
    set_versions(sandbox)
    row_id = add(sandbox, kind, **FINISHED[finished])
    status = FINISHED[finished]["status"]
    said = refusal(sandbox, update(kind, values), row_id, *values.values())
    assert said[:3] == (
        "RR020",
        f"{kind.capitalize()} #{row_id} is at status {status}, and a finished run is not un-finished.",
        {f"{kind}_id": row_id, "run_sequence": 1, "status": status},
    )
    assert "Rerun the report" in said.hint
    assert "allow_unfinish" in said.hint


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("finished", FINISHED)
@pytest.mark.parametrize("named", [(), ("status",), ("output",), ("error_message",), ("status", "error_message")])
def test_the_very_same_result_is_answered_with_what_is_stored_and_nothing_is_written(
    sandbox: Connection, kind: str, finished: str, named: tuple[str, ...]
) -> None:
    set_versions(sandbox)
    row_id = add(sandbox, kind, **FINISHED[finished])
    given = {name: value for name, value in FINISHED[finished].items() if value is not None}
    values = {name: given[name] for name in named or given if name in given}
    if not values or (values.get("status") == "complete" and "output" not in values):
        values = given
    before = everything(sandbox)
    version_of_row = one(sandbox, f"select xmin::text as it from public.{TABLES[kind]} where id = %s", row_id)  # noqa: S608
    returned = one(sandbox, update(kind, values), row_id, *values.values())
    assert {name: returned[name] for name in FINISHED[finished]} == FINISHED[finished]
    assert everything(sandbox) == before
    assert one(sandbox, f"select xmin::text as it from public.{TABLES[kind]} where id = %s", row_id) == version_of_row  # noqa: S608


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("stored", "sent", "is_same"),
    [
        ('{"a": [1, 2], "b": 1.0}', '{"b":1.00,"a":[1,2]}', True),
        (ODD_JSON, ODD_JSON, True),
        ("1", "1.0", True),
        ('{"a": [1, 2]}', '{"a": [2, 1]}', False),
        ('{"a": 1}', '{"a": "1"}', False),
        ("null", "null", True),
        (None, "null", False),
        # The application may have stored what no jsonb can hold.
        ('"\\u0000"', '"x"', False),
        ("1e400000", "1", False),
    ],
)
def test_an_output_is_the_same_as_text_or_by_its_values(
    sandbox: Connection, kind: str, stored: str | None, sent: str, is_same: bool
) -> None:
    row_id = add(sandbox, kind, status="error", output=stored)
    call = update(kind, {"output": sent})
    if is_same:
        assert one(sandbox, call, row_id, sent)["output"] == stored
    else:
        assert refusal(sandbox, call, row_id, sent).code == "RR020"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("values", OTHERS, ids=str)
def test_older_applications_may_write_finished_runs_where_that_is_allowed(
    sandbox: Connection, kind: str, values: dict[str, Any]
) -> None:
    sandbox.execute("select set_setting('allow_unfinish', 'on')")
    row_id = add(sandbox, kind, **FINISHED["error"])
    returned = one(sandbox, update(kind, values), row_id, *values.values())
    cleared = {"error_message": None} if values.get("status") == "complete" else {}
    expected = {**FINISHED["error"], **cleared, **values}
    assert {name: returned[name] for name in expected} == expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_has_ended_is_told_before_one_that_is_finished(sandbox: Connection, kind: str) -> None:
    row_id = add(sandbox, kind)
    for values in ({"status": "running"}, {"error_message": "late"}):
        sent = {**values, "run_sequence": 7}
        assert refusal(sandbox, update(kind, sent), row_id, *sent.values()).code == "RR011"


@pytest.mark.parametrize("kind", KINDS)
def test_complete_clears_the_error_of_before_and_keeps_a_given_one(sandbox: Connection, kind: str) -> None:
    for given in ({}, {"error_message": "but slow"}):
        row_id = add(sandbox, kind, status="running", output=None, error_message="worker lost")
        values = {"status": "complete", "output": "{}", **given}
        returned = one(sandbox, update(kind, values), row_id, *values.values())
        assert returned["error_message"] == given.get("error_message")


@pytest.mark.parametrize("kind", KINDS)
def test_of_two_workers_at_once_the_second_is_refused(dba: Connection, connect: Connect, kind: str) -> None:
    row_id = add(dba, kind, status="running", output=None)
    first, second = connect(role="pgreprise_api", autocommit=False), connect(role="pgreprise_api")
    values = {"status": "complete", "output": '{"first": 1}'}
    first.execute(update(kind, values), (row_id, *values.values()))
    late = {"status": "error", "error_message": "late"}
    with (
        pytest.raises(psycopg.Error) as caught,
        waiting_for_a_lock(connect(), second, update(kind, late), row_id, *late.values()),
    ):
        first.commit()
    assert caught.value.sqlstate == "RR020"
    [row] = snapshot(dba)[TABLES[kind]]
    assert (row["status"], row["output"], row["error_message"]) == ("complete", '{"first": 1}', None)


@pytest.mark.parametrize("kind", KINDS)
def test_of_two_workers_with_the_same_result_both_are_answered(dba: Connection, connect: Connect, kind: str) -> None:
    row_id = add(dba, kind, status="running", output=None)
    first, second = connect(role="pgreprise_api", autocommit=False), connect(role="pgreprise_api")
    values = {"status": "complete", "output": '{"first": 1}'}
    first.execute(update(kind, values), (row_id, *values.values()))
    with waiting_for_a_lock(connect(), second, update(kind, values), row_id, *values.values()) as writing:
        first.commit()
    [row] = writing.result().fetchall()
    assert (row["status"], row["output"]) == ("complete", '{"first": 1}')
