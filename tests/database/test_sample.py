"""Someone tries pgreprise out with the sample data."""

from __future__ import annotations

from collections import Counter

import psycopg
import pytest

from tests.support.databases import Connection
from tests.support.factories import VERSIONS, add_row
from tests.support.samples import load_sample
from tests.support.snapshots import snapshot
from tests.support.statements import rerun


def test_the_sample_holds_reports_of_each_kind_and_every_one_can_be_rerun(dba: Connection) -> None:
    reports = load_sample(dba)
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
    [report_id] = [report["report_id"] for report in load_sample(dba) if "3 cache rows" in report["shows"]]
    before = {row["reform_impact_id"]: row for row in snapshot(dba)["reform_impact"]}
    assert rerun(dba, report_id)["economy_cache_rows_deleted"] == 3
    for row in snapshot(dba)["reform_impact"]:
        del before[row["reform_impact_id"]]
    assert {row["status"] for row in before.values()} == {"ok", "error", "computing"}


def test_the_sample_holds_an_error_and_a_shared_simulation(dba: Connection) -> None:
    load_sample(dba)
    reports = snapshot(dba)["report_outputs"]
    assert Counter(report["status"] for report in reports) == {"complete": 5, "error": 1}
    used = Counter(report["simulation_1_id"] for report in reports)
    assert sorted(used.values()) == [1, 1, 1, 1, 2]


@pytest.mark.parametrize("country_id", ["us", "uk"])
def test_the_samples_versions_are_current(dba: Connection, country_id: str) -> None:
    load_sample(dba)
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
    add_row(dba, table)
    before = snapshot(dba)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=f"these have rows: {table}"):
        load_sample(dba)
    assert snapshot(dba) == before
    assert dba.execute("select from pgreprise.country where package_version is not null").fetchall() == []
