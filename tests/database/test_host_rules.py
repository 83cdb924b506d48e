"""The application's own triggers and constraints refuse one report among many, and the others are done."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.databases import Connection
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.refusals import refusal
from tests.support.snapshots import snapshot
from tests.support.statements import one, rerun

KEEPS = """
create function public.keeps() returns trigger language plpgsql as 'begin return null; end';
create trigger keeps before {event} on public.{table} for each row execute function public.keeps()
"""
RAISES = """
create function public.raises() returns trigger language plpgsql as $$
begin
  if new.id = {report} then raise exception 'not on Sundays'; end if;
  return new;
end $$;
create {constraint} trigger raises {when} update on public.report_outputs {deferred}
  for each row execute function public.raises()
"""


def batch(connection: Connection, reports: list[int]) -> int:
    return int(one(connection, "select create_rerun_batch(%s) as id", json.dumps({"ids": reports}))["id"])


def chunk(connection: Connection, made: int, size: int = 1000) -> dict[str, Any]:
    did: dict[str, Any] = one(connection, "select rerun_batch_chunk(%s, %s) as did", made, size)["did"]
    return did


def refusals(connection: Connection, made: int) -> list[tuple[int, str, str]]:
    rows = connection.execute("select report_id, errcode, message from rerun_batch_refusals(%s)", (made,)).fetchall()
    return [(row["report_id"], row["errcode"], row["message"]) for row in rows]


def forbid(connection: Connection, report: int, *, is_deferred: bool = False) -> None:
    """Let a trigger of the application refuse every change of a report, at once or at the end of the transaction."""
    connection.execute(
        RAISES.format(
            report=report,
            constraint="constraint" if is_deferred else "",
            when="after" if is_deferred else "before",
            deferred="deferrable initially deferred" if is_deferred else "",
        ).encode()
    )


@pytest.fixture
def reports(sandbox: Connection) -> list[int]:
    """Four household reports; the first two share a simulation."""
    set_versions(sandbox)
    shared = add_simulation(sandbox, population_type="household")
    return [
        add_report(sandbox, shared),
        add_report(sandbox, shared, year="2031"),
        *(add_report(sandbox, add_simulation(sandbox, population_type="household")) for _ in range(2)),
    ]


# --- rows that a trigger keeps ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "table"), [("update", "report_outputs"), ("update", "simulations"), ("delete", "reform_impact")]
)
def test_a_row_that_a_trigger_keeps_as_it_is_is_no_success(sandbox: Connection, event: str, table: str) -> None:
    set_versions(sandbox)
    report = add_economy_report(sandbox)[0]
    add_reform_impact(sandbox)
    sandbox.execute(KEEPS.format(event=event, table=table).encode())
    before = snapshot(sandbox)
    for call in (
        f"call rerun_report({report})",
        *(["select delete_reform_impacts('us', 2, 3, 'state/ny', 'default', '2025')"] if event == "delete" else []),
    ):
        said = refusal(sandbox, call)
        assert said.code == "RR022"
        assert f"public.{table}" in said.message
        assert snapshot(sandbox) == before
    result = one(sandbox, "call rerun_reports(array[%s::bigint])", report)["result"]
    assert [(row["report_id"], row["errcode"]) for row in result["refused"]] == [(report, "RR022")]
    made = batch(sandbox, [report])
    chunk(sandbox, made)
    assert [row[:2] for row in refusals(sandbox, made)] == [(report, "RR022")]
    assert snapshot(sandbox) == before


@pytest.mark.parametrize("table", ["report_outputs", "simulations", "reform_impact"])
def test_an_undo_that_a_trigger_keeps_from_writing_is_no_success(sandbox: Connection, table: str) -> None:
    set_versions(sandbox)
    report = add_economy_report(sandbox)[0]
    add_reform_impact(sandbox)
    act = rerun(sandbox, report)["rerun_id"]
    event = "insert" if table == "reform_impact" else "update"
    sandbox.execute(KEEPS.format(event=event, table=table).encode())
    before = snapshot(sandbox)
    assert refusal(sandbox, "call undo_rerun(%s)", act).code == "RR022"
    assert snapshot(sandbox) == before


# --- in a batch ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 1000])
@pytest.mark.parametrize("is_deferred", [False, True])
@pytest.mark.parametrize("place", [0, 1, 3])
def test_the_report_that_is_forbidden_is_refused_and_the_others_are_done_once(
    sandbox: Connection, reports: list[int], size: int, is_deferred: bool, place: int
) -> None:
    forbid(sandbox, reports[place], is_deferred=is_deferred)
    made = batch(sandbox, reports)
    done = [chunk(sandbox, made, size) for _ in range(5)]
    assert sum(did["rerun"] for did in done) == 3
    assert refusals(sandbox, made) == [(reports[place], "P0001", "not on Sundays")]
    # The shared simulation is reset once, by the one of the two that is done first.
    assert sum(did["simulations_reset"] for did in done) == (2 if place == 3 else 3)
    after = snapshot(sandbox)
    assert {row["id"]: row["run_sequence"] for row in after["report_outputs"]} == {
        report: 1 if report == reports[place] else 2 for report in reports
    }
    assert max(row["run_sequence"] for row in after["simulations"]) == 2
    assert one(sandbox, "select state from rerun_batches(%s)", made)["state"] == "finished"


@pytest.mark.parametrize("is_deferred", [False, True])
def test_what_the_application_forbids_to_undo_is_listed_and_the_others_are_undone(
    sandbox: Connection, reports: list[int], is_deferred: bool
) -> None:
    made = batch(sandbox, reports)
    chunk(sandbox, made)
    forbid(sandbox, reports[2], is_deferred=is_deferred)
    did = one(sandbox, "select undo_batch_chunk(%s) as did", made)["did"]
    assert did["undone"] == 3
    [refused] = did["refused"]
    assert (refused["report_id"], refused["errcode"], refused["message"]) == (reports[2], "P0001", "not on Sundays")
    statuses = {row["id"]: row["status"] for row in snapshot(sandbox)["report_outputs"]}
    assert statuses == {report: "pending" if report == reports[2] else "complete" for report in reports}
    assert one(sandbox, "select state, undone from rerun_batches(%s)", made) == {"state": "partly undone", "undone": 3}
