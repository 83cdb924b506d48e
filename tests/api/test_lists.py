"""An operator's page lists reports over HTTP, by status, age, type, version and country."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.databases import Connection
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.replies import refused, succeeded
from tests.support.snapshots import everything
from tests.support.statements import rerun


@pytest.fixture
def ids(dba: Connection) -> dict[str, int]:
    """Three reports of us, one of uk; "pending" was rerun just now."""
    set_versions(dba)
    household = add_simulation(dba, population_type="household")
    abroad = add_simulation(dba, population_type="household", country_id="uk")
    made = {
        "pending": add_report(dba, household),
        "economy": add_report(dba, add_simulation(dba), household, api_version="r-old", year="2026"),
        "abroad": add_report(dba, abroad, country_id="uk"),
        "failed": add_report(dba, household, status="error", output=None, error_message="worker lost"),
    }
    rerun(dba, made["pending"])
    return made


def listed(client: FlaskClient, path: str) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = succeeded(client.get(path))
    return result


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/reports", ["pending", "economy", "abroad", "failed"]),
        ("/us/reports", ["pending", "economy", "failed"]),
        ("/reports?country_id=uk", ["abroad"]),
        ("/us/reports?status=pending", ["pending"]),
        ("/us/reports?status=error&report_type=household&year=2025", ["failed"]),
        ("/reports?report_type=geography", ["economy"]),
        ("/reports?api_version=r-old", ["economy"]),
        ("/reports?year=2026", ["economy"]),
        ("/reports?older_than_seconds=0", ["pending"]),
        ("/reports?older_than_seconds=3600", []),
        ("/reports?older_than_seconds=3153600000", []),
        ("/reports?api_version=", []),
    ],
)
def test_reports_that_meet_every_condition_are_listed(
    client: FlaskClient, dba: Connection, ids: dict[str, int], path: str, names: list[str]
) -> None:
    before = everything(dba)
    assert [report["id"] for report in listed(client, path)] == [ids[name] for name in names]
    assert everything(dba) == before


def test_a_list_is_read_in_pages_and_has_no_outputs(client: FlaskClient, ids: dict[str, int]) -> None:
    read: list[dict[str, Any]] = []
    while page := listed(client, f"/reports?max_rows=3&after_report_id={read[-1]['id'] if read else 1}"):
        read += page
    assert [report["id"] for report in read] == list(ids.values())[1:]
    assert "output" not in read[0]
    assert (read[-1]["status"], read[-1]["error_message"]) == ("error", "worker lost")


@pytest.mark.parametrize("path", ["/reports", "/us/reports"])
@pytest.mark.parametrize(
    "query",
    [
        *("status=lost", "report_type=economy", "older_than_seconds=-1", "older_than_seconds=1h", "max_rows=0"),
        *(
            "max_rows=1001",
            "after_report_id=0",
            "report_id=x",
            f"older_than_seconds={2**63}",
            "year=%00",
            "state=error",
            "limit=5",
        ),
    ],
)
def test_a_query_that_cannot_be_used_is_refused(client: FlaskClient, path: str, query: str) -> None:
    refused(client.get(f"{path}?{query}"), 400, "BAD_REQUEST")


def test_a_report_is_found_by_its_id_in_any_country(client: FlaskClient, ids: dict[str, int]) -> None:
    report = ids["abroad"]
    [found] = listed(client, f"/reports?report_id={report}")
    assert (found["id"], found["country_id"]) == (report, "uk")
    assert listed(client, f"/uk/reports?report_id={report}") == [found]
    assert listed(client, f"/us/reports?report_id={report}") == []
    assert listed(client, f"/reports?report_id={report}&status=error") == []


def test_a_country_is_named_once_and_exists(client: FlaskClient) -> None:
    refused(client.get("/reports?country_id=zz"), 400, "RR008")
    refused(client.get("/zz/reports"), 400, "RR008")
    refused(client.get("/us/reports?country_id=us"), 400, "BAD_REQUEST")
