"""Someone tries carbon reports out with the sample units."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.carbon import PRINCIPAL, acting, add_unit, claims, role, snapshot
from tests.support.databases import Connection
from tests.support.samples import load_sample
from tests.support.statements import one


def test_the_sample_holds_units_reports_and_a_stale_explore_report(dba: Connection) -> None:
    units = load_sample(dba, "carbon")
    assert [unit["institutional_id"] for unit in units] == ["0184", "0207", None]
    example = one(dba, "select * from example_units()")
    assert (example["unit_id"], example["institutional_id"]) == (units[0]["unit_id"], "0184")
    with acting(dba, claims(role(PRINCIPAL, "unit", "0184"))):
        found = one(
            dba,
            "select found.is_stale from get_explore_report(%s, %s) as found",
            example["unit_id"],
            example["reference_year"],
        )
    assert found["is_stale"]


def test_the_samples_stats_are_what_its_entries_add_up_to(dba: Connection) -> None:
    load_sample(dba, "carbon")
    found = dba.execute(
        "select stats ->> 'total' as total, completion_progress from public.carbon_reports "
        "where stats::text <> 'null' order by id"
    ).fetchall()
    assert [tuple(row.values()) for row in found] == [("9.8", "0/8"), ("5655.75", "2/8")]
    assert one(dba, "select get_validated_totals(3) as totals")["totals"] == {
        "modules": {"1": 7.5, "2": 1.89},
        "total_fte": 7.5,
        "total_tonnes_co2eq": 5.04375,
    }


def test_the_sample_is_refused_where_there_are_units(dba: Connection) -> None:
    add_unit(dba)
    before = snapshot(dba)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="these have rows: units"):
        load_sample(dba, "carbon")
    assert snapshot(dba) == before
