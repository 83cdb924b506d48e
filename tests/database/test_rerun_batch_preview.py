"""A DBA asks what a batch would do, and pages through what it refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.databases import Connection
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.refusals import refusal
from tests.support.snapshots import everything
from tests.support.statements import one


@pytest.fixture
def reports(dba: Connection) -> list[int]:
    """Two good reports, one of another status, one without its simulation, one of a country without versions."""
    set_versions(dba)
    household = add_simulation(dba, population_type="household")
    return [
        add_report(dba, household, status="error"),
        add_report(dba, add_simulation(dba), status="error"),
        add_report(dba, household, year="2030"),
        add_report(dba, 999, status="error", api_version="old"),
        add_report(dba, add_simulation(dba, country_id="uk"), country_id="uk", status="error"),
    ]


def preview(connection: Connection, wanted: dict[str, Any]) -> list[tuple[Any, ...]]:
    rows = connection.execute("select * from rerun_batch_preview(%s)", (json.dumps(wanted),)).fetchall()
    return [tuple(row.values()) for row in rows]


def test_a_preview_counts_by_country_type_status_and_defect(dba: Connection, reports: list[int]) -> None:
    before = everything(dba)
    assert preview(dba, {"status": "error", "ids": [*reports, 404, 405, 404]}) == [
        ("us", "geography", "error", None, 1, reports[1]),
        ("us", "household", "error", None, 1, reports[0]),
        (None, None, None, "RR001", 2, 404),
        ("us", None, "error", "RR002", 1, reports[3]),
        ("uk", "geography", "error", "RR006", 1, reports[4]),
    ]
    assert everything(dba) == before


@pytest.mark.parametrize(
    "wanted",
    [
        {"country": "us"},
        {"country": ["uk", "us"], "status": ["error", "pending"]},
        {"year": "2030"},
        {"api_version": "old"},
        {"report_type": "household", "status": "complete"},
        {"ids": [1, 2, 404]},
        {"ids": 3},
        {"country": "il"},
    ],
    ids=json.dumps,
)
def test_a_preview_counts_what_the_batch_then_lists_and_refuses(
    dba: Connection, reports: list[int], wanted: dict[str, Any]
) -> None:
    del reports
    counted = preview(dba, wanted)
    batch = one(dba, "select create_rerun_batch(%s) as id", json.dumps(wanted))["id"]
    assert one(dba, "select reports from rerun_batches(%s)", batch)["reports"] == sum(row[4] for row in counted)
    dba.execute("call run_rerun_batch(%s)", (batch,))
    refused = dba.execute(
        "select errcode, count(*) from rerun_batch_refusals(%s) group by errcode order by errcode", (batch,)
    ).fetchall()
    assert [tuple(row.values()) for row in refused] == [(row[3], row[4]) for row in counted if row[3] is not None]


@pytest.mark.parametrize("routine", ["rerun_batch_preview", "create_rerun_batch"])
@pytest.mark.parametrize(
    "wanted", [None, "[]", "{}", '{"country": "zz"}', '{"colour": "red"}', '{"ids": [0]}'], ids=str
)
def test_a_filter_that_cannot_be_used_is_refused(dba: Connection, routine: str, wanted: str | None) -> None:
    assert refusal(dba, f"select {routine}(%s::jsonb)", wanted).code == "RR015"


def test_refusals_come_in_pages(dba: Connection) -> None:
    batch = one(dba, "select create_rerun_batch(%s) as id", json.dumps({"ids": [9, 7, 8, 6]}))["id"]
    dba.execute("call run_rerun_batch(%s)", (batch,))

    def page(*arguments: int) -> list[int]:
        found = dba.execute(
            f"select report_id from rerun_batch_refusals(%s{', %s' * len(arguments)})",  # noqa: S608
            (batch, *arguments),
        ).fetchall()
        return [row["report_id"] for row in found]

    assert page() == [6, 7, 8, 9]
    assert page(0, 2) == [6, 7]
    assert page(7, 2) == [8, 9]
    assert page(9, 2) == []
