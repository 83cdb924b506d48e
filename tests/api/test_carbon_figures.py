"""The figures of a report over HTTP: modules that are left out, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import URL

from tests.support.carbon import add_entry, add_report, add_unit, set_status
from tests.support.databases import connect

ROUTES = ("results-summary", "emission-breakdown", "it-breakdown")


@pytest.fixture
def report(database: URL) -> int:
    """A report with travel, equipment and purchases; the first two are validated."""
    with connect(database) as connection:
        made = add_report(connection, add_unit(connection), 2025)
        add_entry(connection, made, 2, 5000)
        add_entry(connection, made, 4, 3000)
        add_entry(connection, made, 5, 1000)
        set_status(connection, made, 2, 2, 4)
    return made


def figures(client: FlaskClient, report: int, route: str, query: str = "") -> Any:
    response = client.get(f"/api/v1/modules-stats/{report}/{route}{query}")
    assert response.status_code == 200, response.text
    return response.get_json()


def test_every_value_of_exclude_modules_counts_and_unknown_modules_are_ignored(
    client: FlaskClient, report: int
) -> None:
    for query, left in (
        ("", [("equipment", 3.0), ("purchases", 1.0), ("professional_travel", 5.0)]),
        ("?exclude_modules=2", [("equipment", 3.0), ("purchases", 1.0)]),
        ("?exclude_modules=2&exclude_modules=4&exclude_modules=2", [("purchases", 1.0)]),
        ("?exclude_modules=99&exclude_modules=-1&carbon_project_type=no", [("equipment", 3.0), ("purchases", 1.0),
                                                                          ("professional_travel", 5.0)]),
    ):  # fmt: skip
        found = figures(client, report, "emission-breakdown", query)
        assert found["total_tonnes_co2eq"] == sum(tonnes for _, tonnes in left)
        assert [
            (each["category"], sum(emission["value"] for emission in each["emissions"]))
            for each in found["module_breakdown"]
            if each["emissions"]
        ] == left
        excluded = {2: "professional_travel", 4: "equipment"}
        shown = {each["category"] for each in found["module_breakdown"]}
        assert shown.isdisjoint({name for number, name in excluded.items() if f"exclude_modules={number}" in query})
        assert len(found["additional_breakdown"]) == 4


def test_a_summary_tells_validated_modules_and_leaves_out_those_excluded(client: FlaskClient, report: int) -> None:
    found = figures(client, report, "results-summary")
    assert [each["module_type_id"] for each in found["module_results"]] == [2, 4]
    assert found["unit_totals"]["total_tonnes_co2eq"] == 8
    assert found["unit_totals"]["equivalent_car_km"] == pytest.approx(8000 / found["co2_per_km_kg"])
    found = figures(client, report, "results-summary", "?exclude_modules=2&exclude_modules=8")
    assert [each["total_tonnes_co2eq"] for each in found["module_results"]] == [3]


def test_what_a_car_emits_is_a_setting(client: FlaskClient, database: URL, report: int) -> None:
    assert figures(client, report, "results-summary")["co2_per_km_kg"] == 0.2996
    with connect(database) as connection:
        connection.execute("select set_setting('co2_per_km_kg', '0.2')")
    found = figures(client, report, "results-summary")
    assert (found["co2_per_km_kg"], found["unit_totals"]["equivalent_car_km"]) == (0.2, 40000)


@pytest.mark.needs("time")
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("given", ["", "one", "1.0", "0x1", "1,2", "99999999999999999999", "1&exclude_modules="])
def test_an_exclusion_that_is_no_integer_is_refused(client: FlaskClient, report: int, route: str, given: str) -> None:
    response = client.get(f"/api/v1/modules-stats/{report}/{route}?exclude_modules={given}")
    assert response.status_code == 422
    assert response.get_json() == {"detail": "exclude_modules in the query is not an integer."}


@pytest.mark.parametrize("route", ROUTES)
def test_a_report_that_does_not_exist_has_no_figures(client: FlaskClient, report: int, route: str) -> None:
    response = client.get(f"/api/v1/modules-stats/{report + 1000}/{route}")
    assert response.status_code == 404
    assert response.get_json() == {"detail": f"Carbon report not found: carbon_report_id {report + 1000}."}
    assert figures(client, report + 1000, "validated-totals")["modules"] == {}
