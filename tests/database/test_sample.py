"""Someone tries pgreprise out with the sample data."""

from __future__ import annotations

from collections import Counter
from typing import Any

import psycopg
import pytest

from pyapi.schema.files import sql_text
from tests.factories import VERSIONS, add_reform_impact, add_report, add_simulation, snapshot

Connection = psycopg.Connection[dict[str, Any]]


def load(connection: Connection) -> list[dict[str, Any]]:
    """Run the file as one text and return what its last statement returns."""
    cursor = connection.execute(sql_text("reports/load_sample").encode())
    while cursor.nextset():
        pass
    return cursor.fetchall()


def rerun(connection: Connection, report_id: int) -> dict[str, Any]:
    row = connection.execute("call rerun_report(report_id => %s::bigint)", (report_id,)).fetchone()
    assert row is not None
    return row["result"]


def test_the_sample_holds_reports_of_each_kind_and_every_one_can_be_rerun(dba: Connection) -> None:
    reports = load(dba)
    assert len(reports) == len(snapshot(dba)["report_outputs"]) == 6
    assert dba.execute("select * from report_defects()").fetchall() == []

    kinds = Counter()
    for report in reports:
        result = rerun(dba, report["report_id"])
        assert result["report_type"] == report["report_type"]
        kinds[result["report_type"], len(result["simulation_ids"])] += 1
    assert kinds == {("household", 1): 1, ("household", 2): 1, ("geography", 1): 2, ("geography", 2): 2}


def test_the_sample_shows_that_a_rerun_deletes_its_cache_rows_in_all_statuses_and_no_neighbour(
    dba: Connection,
) -> None:
    [report_id] = [report["report_id"] for report in load(dba) if "3 rows of economy cache" in report["shows"]]
    before = {row["reform_impact_id"]: row for row in snapshot(dba)["reform_impact"]}
    assert rerun(dba, report_id)["economy_cache_rows_deleted"] == 3
    for row in snapshot(dba)["reform_impact"]:
        del before[row["reform_impact_id"]]
    assert {row["status"] for row in before.values()} == {"ok", "error", "computing"}


def test_the_sample_holds_an_error_and_a_shared_simulation(dba: Connection) -> None:
    load(dba)
    reports = snapshot(dba)["report_outputs"]
    assert Counter(report["status"] for report in reports) == {"complete": 5, "error": 1}
    used = Counter(report["simulation_1_id"] for report in reports)
    assert sorted(used.values()) == [1, 1, 1, 1, 2]


@pytest.mark.parametrize("country_id", ["us", "uk"])
def test_the_samples_versions_are_current(dba: Connection, country_id: str) -> None:
    load(dba)
    row = dba.execute(
        "select economy_impact_version as economy_impact, report_output_version as report_output, "
        "package_version as package from pgreprise.country where country_id = %s",
        (country_id,),
    ).fetchone()
    assert row == VERSIONS[country_id]
    assert {row["api_version"] for row in snapshot(dba)["report_outputs"] if row["country_id"] == country_id} == {
        VERSIONS[country_id]["report_output"]
    }


@pytest.mark.parametrize("table", ["simulations", "report_outputs", "reform_impact"])
def test_the_sample_is_refused_where_a_table_holds_rows(dba: Connection, table: str) -> None:
    match table:
        case "simulations":
            add_simulation(dba)
        case "report_outputs":
            add_report(dba, 1)
        case "reform_impact":
            add_reform_impact(dba)
    before = snapshot(dba)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=f"these hold rows: {table}"):
        load(dba)
    assert snapshot(dba) == before
    assert dba.execute("select from pgreprise.country where package_version is not null").fetchall() == []
