"""An application creates the reports of many units at once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.carbon import (
    PRINCIPAL,
    acting,
    add_report,
    add_unit,
    claims,
    refusal,
    role,
    snapshot,
)
from tests.support.databases import Connection
from tests.support.statements import one

BULK = "select * from bulk_upsert_carbon_reports(%s)"


def bulk(connection: Connection, *reports: dict[str, Any]) -> list[dict[str, Any]]:
    return connection.execute(BULK, (json.dumps(reports),)).fetchall()


@pytest.fixture
def units(dba: Connection) -> list[int]:
    """Three units."""
    return [add_unit(dba, f"{number:04}") for number in range(3)]


def test_bulk_upsert_resolves_project_ids_before_repo_call(dba: Connection, units: list[int]) -> None:
    # One unit has its project, the others do not.
    standing = one(dba, "select id from create_carbon_project(%s)", units[0])["id"]
    created = bulk(
        dba, *({"unit_id": unit, "year": year} for year in (2024, 2025) for unit in (units[2], units[0], units[1]))
    )
    projects: dict[int, set[int | None]] = {}
    for report in created:
        projects.setdefault(report["unit_id"], set()).add(report["carbon_project_id"])
    assert [(report["unit_id"], report["year"]) for report in created] == [
        (unit, year) for unit in units for year in (2024, 2025)
    ]
    # Not null, shared within a unit, distinct between units.
    assert all(len(of_unit) == 1 and None not in of_unit for of_unit in projects.values())
    assert len(set.union(*projects.values())) == 3
    assert projects[units[0]] == {standing}
    for unit in units:
        project = one(dba, "select * from get_carbon_project(%s)", unit)
        assert (project["carbon_report_type"], {project["id"]}) == ("Calculator", projects[unit])


def test_the_rows_that_are_inserted_are_returned_with_modules_and_the_others_left_alone(
    dba: Connection, units: list[int]
) -> None:
    there = add_report(dba, units[0], 2025, last_updated=1)
    add_report(dba, units[1], 2025, "Simulator_Explore", last_updated=1)
    created = bulk(dba, *({"unit_id": unit, "year": 2025, "reference_year": 2019} for unit in units))
    assert [report["unit_id"] for report in created] == units[1:]
    for report in created:
        assert (report["reference_year"], report["last_updated"], report["completion_progress"]) == (
            2019,
            None,
            None,
        )
        modules = dba.execute("select * from get_carbon_report_modules(%s::bigint)", (report["id"],)).fetchall()
        assert [module["module_type_id"] for module in modules] == list(range(1, 9))
    assert one(dba, "select last_updated from public.carbon_reports where id = %s", there)["last_updated"] == 1
    before = snapshot(dba)
    assert bulk(dba, *({"unit_id": unit, "year": 2025} for unit in units)) == []
    assert snapshot(dba) == before


def test_a_report_that_is_listed_twice_is_created_once(dba: Connection, units: list[int]) -> None:
    assert len(bulk(dba, *[{"unit_id": units[0], "year": 2025}] * 3)) == 1


def test_an_empty_list_creates_nothing(dba: Connection) -> None:
    before = snapshot(dba)
    assert bulk(dba) == []
    assert snapshot(dba) == before


@pytest.mark.parametrize(
    "report",
    [
        1,
        None,
        [],
        {},
        {"unit_id": 1},
        {"year": 2025},
        {"unit_id": None, "year": 2025},
        {"unit_id": 1.5, "year": 2025},
        {"unit_id": 1, "year": 999},
        {"unit_id": 1, "year": 20255},
        {"unit_id": 1, "year": "soon"},
        {"unit_id": 1, "year": 2025, "reference_year": 5},
        {"unit_id": 1, "year": 2025, "carbon_project_id": -1},
        {"unit_id": 10**30, "year": 2025},
    ],
    ids=str,
)
def test_a_report_that_cannot_be_used_refuses_all_and_is_named_by_its_place(
    dba: Connection, units: list[int], report: Any
) -> None:
    reports = [{"unit_id": units[0], "year": 2025}, report]
    said = refusal(dba, BULK, json.dumps(reports))
    assert (said.code, said.message) == ("RC008", "Element 2 of the list is not a valid report.")


@pytest.mark.parametrize("text", ["{}", "1", "null", None])
def test_what_is_no_list_is_refused(dba: Connection, text: str | None) -> None:
    assert refusal(dba, BULK, text).code == "RC008"


def test_one_unit_without_access_refuses_all(dba: Connection, units: list[int]) -> None:
    reports = json.dumps([{"unit_id": unit, "year": 2025} for unit in units])
    with acting(dba, claims(*(role(PRINCIPAL, "unit", f"{number:04}") for number in (0, 2)))):
        said = refusal(dba, BULK, reports)
    assert (said.code, said.detail) == ("RC002", {"unit_id": units[1]})
    with acting(dba, claims(*(role(PRINCIPAL, "unit", f"{number:04}") for number in range(3)))):
        assert len(dba.execute(BULK, (reports,)).fetchall()) == 3


def test_one_unit_that_does_not_exist_refuses_all(dba: Connection, units: list[int]) -> None:
    reports = json.dumps([{"unit_id": unit, "year": 2025} for unit in (*units, units[-1] + 1)])
    assert refusal(dba, BULK, reports).code == "RC001"


def test_a_project_that_is_not_the_units_calculator_refuses_all(dba: Connection, units: list[int]) -> None:
    own = one(dba, "select id from create_carbon_project(%s)", units[0])["id"]
    explore = one(dba, "select id from create_carbon_project(%s, 1)", units[0])["id"]
    for unit, project in ((units[1], own), (units[0], explore), (units[0], 10**9)):
        reports = json.dumps([{"unit_id": unit, "year": 2025, "carbon_project_id": project}])
        assert refusal(dba, BULK, reports).code == "RC008"
    assert len(bulk(dba, {"unit_id": units[0], "year": 2025, "carbon_project_id": own})) == 1


@pytest.mark.needs("time")
def test_a_hundred_thousand_reports_are_created_in_one_call(dba: Connection) -> None:
    dba.execute("insert into public.units (name) select 'unit' from generate_series(1, 100000)")
    first = one(dba, "select min(id) as id from public.units")["id"]
    reports = json.dumps([{"unit_id": first + number, "year": 2025} for number in range(100_000)])
    created = one(
        dba,
        "select count(*)::int as reports, count(distinct carbon_project_id)::int as projects "
        "from bulk_upsert_carbon_reports(%s)",
        reports,
    )
    assert created == {"reports": 100_000, "projects": 100_000}
    assert one(dba, "select count(*)::int as modules from public.carbon_report_modules")["modules"] == 800_000
