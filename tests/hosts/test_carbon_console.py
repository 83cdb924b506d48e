"""The console's carbon pages over the calculator's own rows: each is there, and shows what the calculator computes."""

from __future__ import annotations

import pytest
from sqlalchemy import URL

from tests.support import carbon as carbon_rows
from tests.support.carbon_host import expected
from tests.support.console import console_over
from tests.support.databases import connect, rows


@pytest.mark.needs("time")
def test_every_carbon_page_shows_the_calculators_rows(carbon: URL, carbon_host_name: str) -> None:
    units = rows(carbon, "select id, name from public.units order by id")
    totals = {int(number): report["validated_totals"] for number, report in expected(carbon_host_name).items()}
    explore = rows(
        carbon,
        "select report.unit_id, report.year from public.carbon_reports as report "
        "join public.carbon_projects as project on project.id = report.carbon_project_id "
        "where project.carbon_report_type = 'Simulator_Explore'",
    )
    with connect(carbon) as connection, console_over(carbon) as operator:
        before = carbon_rows.snapshot(connection)
        for path in ("", "/reports", "/explore", "/duplicates"):
            assert operator.open(f"/console/carbon{path}").status == 200, path
        for unit in units:
            page = operator.open(f"/console/carbon/units/{unit['id']}")
            assert (page.status, page.heading) == (200, " ".join(unit["name"].split()))
        for report_id, told in totals.items():
            page = operator.open(f"/console/carbon/reports/{report_id}")
            assert page.status == 200
            assert f"{told['total_tonnes_co2eq']:,.3f} t CO2eq, {told['total_fte']:,.2f} FTE" in page.text
        for report in explore:
            path = f"/console/carbon/explore/{report['unit_id']}/{report['year']}/refresh"
            assert operator.open(path).status == 200
        assert carbon_rows.snapshot(connection) == before
