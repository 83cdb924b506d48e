"""Somebody looks for what is wrong with the reports of a database: failed caches, lost runs, runs that do not agree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.claims import age, claim
from tests.support.databases import Connection
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.refusals import refusal
from tests.support.snapshots import everything
from tests.support.statements import one, rerun


def failed(connection: Connection) -> list[tuple[int, int, str]]:
    rows = connection.execute("select report_id, reform_impact_id, status from failed_cache_rows()").fetchall()
    return [(row["report_id"], row["reform_impact_id"], row["status"]) for row in rows]


# --- caches without a result -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "has_failed"),
    [
        ({"status": "error", "reform_impact_json": {}}, True),
        ({"status": "error", "reform_impact_json": {"budget": "x" * 5000}}, True),
        ({"status": "ok", "reform_impact_json": {}}, True),
        ({"status": "ok", "reform_impact_json": " null "}, True),
        ({"status": "ok", "reform_impact_json": "{\n}"}, True),
        ({"status": "ok", "reform_impact_json": {"budget": 1}}, False),
        ({"status": "ok", "reform_impact_json": {"budget": "x" * 5000}}, False),
        ({"status": "computing", "reform_impact_json": {}}, False),
    ],
)
def test_a_cache_row_that_failed_or_is_empty_is_found(
    sandbox: Connection, row: dict[str, Any], has_failed: bool
) -> None:
    set_versions(sandbox)
    report = add_economy_report(sandbox)[0]
    stored = add_reform_impact(sandbox, options_hash="[dataset=default&model_version=1]", **row)
    assert failed(sandbox) == ([(report, stored, row["status"])] if has_failed else [])
    rerun(sandbox, report)
    assert failed(sandbox) == []


@pytest.mark.parametrize("other", [{"api_version": "e0"}, {"options_hash": "[cliffs=true]"}, {"region": "state/ca"}])
def test_a_failed_row_of_no_report_is_not_listed(sandbox: Connection, other: dict[str, Any]) -> None:
    set_versions(sandbox)
    add_economy_report(sandbox)
    add_reform_impact(sandbox, status="error", **other)
    assert failed(sandbox) == []


def test_a_failed_row_is_listed_for_each_report_that_it_belongs_to_and_can_be_rerun(sandbox: Connection) -> None:
    set_versions(sandbox)
    report, first, second = add_economy_report(sandbox)
    twin = add_report(sandbox, first, second)
    add_report(sandbox, first, 999)
    stored = add_reform_impact(sandbox, status="error", message="worker lost")
    before = everything(sandbox)
    assert failed(sandbox) == [(report, stored, "error"), (twin, stored, "error")]
    assert one(sandbox, "select message from failed_cache_rows()")["message"] == "worker lost"
    assert everything(sandbox) == before


# --- lost runs -------------------------------------------------------------------------------

NOON = datetime(2026, 8, 14, 12, tzinfo=UTC)


def lost(connection: Connection, **arguments: Any) -> list[tuple[int, datetime | None]]:
    given = ", ".join(f"{name} => %s" for name in arguments)
    query = f"select report_id, since from lost_runs({given})"  # noqa: S608
    rows = connection.execute(query.encode(), list(arguments.values())).fetchall()
    return [(row["report_id"], row["since"]) for row in rows]


@pytest.fixture
def waiting(sandbox: Connection) -> dict[str, int]:
    """Reports by what is known about their run; the rerun ones since an hour before noon, and an hour after."""
    household = add_simulation(sandbox, population_type="household")
    ids = {
        "pending": add_report(sandbox, household, status="pending"),
        "running": add_report(sandbox, household, status="running"),
        "complete": add_report(sandbox, household),
        "failed": add_report(sandbox, household, status="error"),
    }
    for name, hours in (("rerun before", -1), ("rerun after", 1)):
        ids[name] = add_report(sandbox, household)
        rerun(sandbox, ids[name])
        sandbox.execute(
            "update pgreprise.report_run set ended_at = %s where report_id = %s",
            (NOON + timedelta(hours=hours), ids[name]),
        )
    return ids


def test_what_has_waited_for_long_comes_first_and_what_nobody_knows_last(
    sandbox: Connection, waiting: dict[str, int]
) -> None:
    unknown = [(waiting["pending"], None), (waiting["running"], None)]
    before, after = (
        (waiting[name], NOON + timedelta(hours=h)) for name, h in (("rerun before", -1), ("rerun after", 1))
    )
    assert lost(sandbox, as_of=NOON) == unknown
    assert lost(sandbox, as_of=NOON + timedelta(seconds=1)) == [before, *unknown]
    assert lost(sandbox, as_of=NOON, older_than="30 minutes") == [before, *unknown]
    assert lost(sandbox, as_of=NOON + timedelta(days=1)) == [before, after, *unknown]
    assert lost(sandbox, as_of=NOON + timedelta(days=1), older_than="1 day") == [before, *unknown]


@pytest.mark.parametrize("older_than", [None, "-1 second"])
def test_an_impossible_age_is_rr016(sandbox: Connection, older_than: str | None) -> None:
    assert refusal(sandbox, "select * from lost_runs(%s::interval)", older_than).code == "RR016"


def test_a_report_whose_worker_is_alive_is_not_lost(sandbox: Connection) -> None:
    report = add_report(sandbox, add_simulation(sandbox), status="pending", output=None)
    claimed = claim(sandbox)
    assert lost(sandbox, older_than="0 s") == []

    age(sandbox, claimed, "1 hour")
    sandbox.execute("update pgreprise.run_time set started_at = started_at - interval '2 hours'")
    assert [row[0] for row in lost(sandbox)] == [report]
    assert one(sandbox, "select worker from lost_runs()")["worker"] == "worker 1"
