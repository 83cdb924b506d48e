"""A DBA reruns the reports of a real legacy database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL

from tests.support import legacy
from tests.support.databases import Connection
from tests.support.factories import VERSIONS
from tests.support.snapshots import snapshot


@pytest.fixture
def database(legacy_copy: URL) -> URL:
    """A fresh import of the test's own."""
    return legacy_copy


def rerun(connection: Connection, report_id: int, country_id: str | None = None) -> dict[str, Any]:
    row = connection.execute(
        "call rerun_report(report_id => %s::bigint, country_id => %s)", (report_id, country_id)
    ).fetchone()
    assert row is not None
    return row["result"]


def test_every_row_arrives_with_every_value_byte_for_byte(dba: Connection, legacy_database: Path) -> None:
    after = snapshot(dba)
    assert {table: len(rows) for table, rows in after.items()} == {
        "report_outputs": 159,
        "simulations": 176,
        "reform_impact": 371,
    }
    for row in after["reform_impact"]:
        row["start_time"] = str(row["start_time"])
    for table, rows in after.items():
        key = next(iter(rows[0]))
        stored = legacy.read(legacy_database, f"select * from {table} order by {key}")  # noqa: S608
        if table != "reform_impact":
            # The legacy database numbered no runs.
            stored = [{**row, "run_sequence": 1} for row in stored]
            # It has no columns of specifications and runs.
            rows = [{name: row[name] for name in stored[0]} for row in rows]
        assert rows == stored


@pytest.mark.parametrize("table", ["report_outputs", "simulations", "reform_impact"])
def test_the_next_generated_id_is_past_the_imported_ones(dba: Connection, table: str) -> None:
    before = snapshot(dba)[table]
    key, *others = before[0]
    columns = ", ".join(others)
    row = dba.execute(
        f"insert into public.{table} ({columns}) select {columns} from public.{table} limit 1 returning {key} as id"  # noqa: S608
    ).fetchone()
    assert row is not None
    assert row["id"] == max(imported_row[key] for imported_row in before) + 1


@pytest.mark.parametrize("example", [example for example in legacy.EXAMPLES if example.sqlstate is None], ids=str)
def test_a_rerun_gives_the_required_result(dba: Connection, legacy_database: Path, example: legacy.Example) -> None:
    before = snapshot(dba)
    assert rerun(dba, example.report_id, example.country_id) == example.result
    after = snapshot(dba)

    pending = {"status": "pending", "output": None, "error_message": None, "run_sequence": 2}
    for row in before["report_outputs"]:
        if row["id"] == example.report_id:
            row |= pending
    for row in before["simulations"]:
        if row["id"] in example.simulation_ids:
            row |= pending | {"api_version": VERSIONS[example.country_id]["package"]}
    deleted = legacy.cache_rows_to_delete(legacy_database)[example.report_id]
    assert len(deleted) == example.deleted
    before["reform_impact"] = [row for row in before["reform_impact"] if row["reform_impact_id"] not in deleted]
    assert after == before


@pytest.mark.parametrize(
    ("country_id", "report_id", "code"),
    [
        *((example.country_id, example.report_id, example.sqlstate) for example in legacy.EXAMPLES if example.sqlstate),
        *((None, report_id, code) for report_id, code in legacy.DEFECTS.items()),
    ],
)
def test_a_refused_rerun_changes_nothing(dba: Connection, country_id: str | None, report_id: int, code: str) -> None:
    before = snapshot(dba)
    with pytest.raises(psycopg.Error) as refused:
        rerun(dba, report_id, country_id)
    assert refused.value.sqlstate == code
    assert snapshot(dba) == before


def test_the_audit_lists_the_malformed_reports_and_no_other(dba: Connection) -> None:
    rows = dba.execute("select report_id, errcode from report_defects()").fetchall()
    assert {row["report_id"]: row["errcode"] for row in rows} == legacy.DEFECTS


def test_rerunning_every_report_deletes_exactly_the_cache_rows_of_their_keys(
    dba: Connection, legacy_database: Path
) -> None:
    expected = legacy.cache_rows_to_delete(legacy_database)
    before = snapshot(dba)
    # Reports share cache rows, so each is counted by the first that deletes it.
    remaining = {row["reform_impact_id"] for row in before["reform_impact"]}
    refused = {}
    for report in before["report_outputs"]:
        report_id = report["id"]
        try:
            result = rerun(dba, report_id)
        except psycopg.Error as error:
            refused[report_id] = error.sqlstate
        else:
            assert result["economy_cache_rows_deleted"] == len(expected[report_id] & remaining)
            remaining -= expected[report_id]

    assert refused == legacy.DEFECTS
    assert len(expected) == 154
    after = snapshot(dba)
    assert {row["reform_impact_id"] for row in after["reform_impact"]} == remaining
    assert after["reform_impact"] == [row for row in before["reform_impact"] if row["reform_impact_id"] in remaining]
    for row in after["report_outputs"]:
        assert (row["status"] == "pending" and row["output"] is None) or row["id"] in legacy.DEFECTS
