"""A client creates carbon reports and makes plans of explore reports over HTTP."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.support.carbon import add_entry, add_report, add_unit, snapshot
from tests.support.databases import Connection
from tests.support.statements import one

PATH = "/api/v1/carbon-reports"


@pytest.mark.parametrize("query", ["", "?carbon_project_type=1", "?carbon_project_type=nonsense"])
def test_a_new_report_is_a_calculator_report_whatever_the_query_says(
    client: FlaskClient, dba: Connection, query: str
) -> None:
    unit = add_unit(dba)
    response = client.post(f"{PATH}/{query}", json={"unit_id": str(unit), "year": "2025"})
    project = one(dba, "select * from get_carbon_project(%s)", unit)
    assert response.status_code == 201
    assert response.get_json() == {
        "id": one(dba, "select id from public.carbon_reports")["id"],
        "year": 2025,
        "reference_year": None,
        "unit_id": unit,
        "carbon_project_id": project["id"],
        "stats": None,
        "last_updated": None,
        "completion_progress": None,
        "overall_status": 0,
    }
    assert project["carbon_report_type"] == "Calculator"
    again = client.post(f"{PATH}/", json={"unit_id": unit, "year": 2025})
    assert (again.status_code, again.get_json()["detail"]) == (
        409,
        f"Unit #{unit} already has a Calculator report of 2025.",
    )


def test_a_project_is_believed_when_it_is_the_units(client: FlaskClient, dba: Connection) -> None:
    unit = add_unit(dba)
    plan = one(dba, "select id from create_carbon_project(%s, 2)", unit)["id"]
    wanted = {"unit_id": unit, "year": 2025, "carbon_project_id": plan}
    assert client.post(f"{PATH}/", json=wanted).get_json()["carbon_project_id"] == plan
    before = snapshot(dba)
    other = add_unit(dba, "0207")
    refused = client.post(f"{PATH}/", json={**wanted, "unit_id": other})
    assert (refused.status_code, refused.get_json()) == (
        422,
        {"detail": f"Unit #{other} has no carbon project #{plan}."},
    )
    assert snapshot(dba)["carbon_reports"] == before["carbon_reports"]


@pytest.mark.parametrize("body", [{}, {"unit_id": 1}, {"year": 2025}, {"unit_id": 1.5, "year": 2025}, {"other": 1}])
def test_a_body_without_unit_and_year_creates_nothing(
    client: FlaskClient, dba: Connection, body: dict[str, float]
) -> None:
    add_unit(dba)
    response = client.post(f"{PATH}/", json=body)
    assert response.status_code == 422
    assert isinstance(response.get_json()["detail"], str)
    assert snapshot(dba)["carbon_reports"] == []


def test_a_plan_is_made_of_an_explore_report(client: FlaskClient, dba: Connection) -> None:
    unit = add_unit(dba)
    explore = add_report(dba, unit, 2025, "Simulator_Explore")
    add_entry(dba, explore, 2, 1500)
    converted = client.post(f"{PATH}/{explore}/convert")
    assert (converted.status_code, converted.get_json()["id"]) == (200, explore)
    assert client.get(f"{PATH}/simulator/explore/unit/{unit}/reference-year/2025/").status_code == 404
    assert client.get(f"/api/v1/modules-stats/{explore}/validated-totals").status_code == 200
    again = client.post(f"{PATH}/{explore}/convert")
    assert (again.status_code, again.get_json()) == (
        422,
        {"detail": f"Carbon report #{explore} is not an explore report."},
    )
    assert client.post(f"{PATH}/{explore + 1000}/convert").status_code == 404
