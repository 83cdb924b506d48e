"""The lists of units, projects and reports show the calculator's rows, whatever types its columns have."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import URL

from tests.support.carbon import ADMIN, PRINCIPAL, READ, acting, claims, role
from tests.support.carbon_host import expected
from tests.support.databases import Connection, connect, rows
from tests.support.numbers import same


def called(connection: Connection, call: str, *arguments: Any) -> list[dict[str, Any]]:
    return connection.execute(f"select * from {call}".encode(), arguments).fetchall()  # noqa: S608


@pytest.mark.needs("time")
def test_the_lists_hold_every_row_of_the_calculator(carbon: URL, carbon_host_name: str) -> None:
    units = rows(carbon, "select id, institutional_id, name from public.units order by id")
    projects = rows(
        carbon, "select id, carbon_report_type::text as type, unit_id from public.carbon_projects order by id"
    )
    reports = rows(
        carbon, "select id, unit_id, carbon_project_id, year, last_updated from public.carbon_reports order by id"
    )
    explore = [project["id"] for project in projects if project["type"] == "Simulator_Explore"]
    with connect(carbon) as connection, acting(connection, claims(role(ADMIN, "global"), scope=READ)):
        listed_units = called(connection, "find_carbon_units()")
        assert [{name: row[name] for name in ("id", "institutional_id", "name")} for row in listed_units] == units
        assert sum(row["reports"] for row in listed_units) == len(reports)
        assert sum(sum(row["projects"].values()) for row in listed_units) == len(projects)
        [searched] = called(connection, "find_carbon_units(%s)", units[0]["name"].lower())[:1]
        assert searched["id"] == units[0]["id"]

        listed_projects = [
            project for unit in units for project in called(connection, "find_carbon_projects(%s)", unit["id"])
        ]
        assert {row["id"]: row["carbon_report_type"] for row in listed_projects} == {
            row["id"]: row["type"] for row in projects
        }

        listed = {row["id"]: row for row in called(connection, "find_carbon_reports()")}
        assert list(listed) == [row["id"] for row in reports]
        for row in reports:
            last = listed[row["id"]]["last_updated"]
            assert (last and last.timestamp()) == row["last_updated"]
        for report_id, report in expected(carbon_host_name).items():
            assert listed[int(report_id)]["totals"] == same(report["validated_totals"]), report_id

        assert [row["id"] for row in called(connection, "find_explore_reports()")] == [
            row["id"] for row in reports if row["carbon_project_id"] in explore
        ]
        for kind, type_name in ((0, "Calculator"), (1, "Simulator_Explore"), (2, "Simulator_Plan")):
            found = called(connection, "find_carbon_reports(carbon_project_type => %s, year => 2025)", kind)
            assert [row["id"] for row in found] == [
                row["id"] for row in listed.values() if (row["carbon_report_type"], row["year"]) == (type_name, 2025)
            ]
        assert [(row["is_enforced"], row["duplicates"]) for row in called(connection, "carbon_duplicates()")] == [
            (True, [])
        ] * 2
    mine = next(unit for unit in units if unit["institutional_id"])
    with (
        connect(carbon) as connection,
        acting(connection, claims(role(PRINCIPAL, "unit", mine["institutional_id"]), scope=READ)),
    ):
        assert [row["id"] for row in called(connection, "find_carbon_units()")] == [mine["id"]]
        assert {row["id"] for row in called(connection, "find_carbon_reports()")} == {
            row["id"] for row in reports if row["unit_id"] == mine["id"]
        }
        connection.execute("select * from carbon_stats_differences()")
