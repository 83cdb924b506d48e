"""A DBA reruns a report with `call rerun_report(...)`."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.factories import add_reform_impact, add_report, add_simulation, set_versions, snapshot

Connection = psycopg.Connection[dict[str, Any]]


def rerun(connection: Connection, report_id: int, country_id: str | None = None) -> dict[str, Any]:
    row = connection.execute(
        "call rerun_report(report_id => %s::bigint, country_id => %s)", (report_id, country_id)
    ).fetchone()
    assert row is not None
    return row["result"]


def test_a_household_report_of_one_simulation_goes_back_to_pending(dba: Connection) -> None:
    simulation = add_simulation(dba, population_type="household", population_id="40000", error_message="lost")
    report = add_report(dba, simulation, error_message="worker lost")
    assert rerun(dba, report) == {
        "report_id": report,
        "report_type": "household",
        "simulation_ids": [simulation],
        "economy_cache_rows_deleted": 0,
    }
    after = snapshot(dba)
    for row in (*after["report_outputs"], *after["simulations"]):
        assert (row["status"], row["output"], row["error_message"]) == ("pending", None, None)
