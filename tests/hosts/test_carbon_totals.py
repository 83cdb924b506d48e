"""What the routines make of the carbon calculator's rows is what the calculator makes of them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import URL

from tests.support.carbon_host import expected
from tests.support.databases import connect, rows
from tests.support.statements import one


def same(value: Any) -> Any:
    """As the value, with numbers that are compared to 1e-9."""
    if isinstance(value, dict):
        return {key: same(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [same(inner) for inner in value]
    if isinstance(value, float):
        return pytest.approx(value, rel=1e-9, abs=1e-9)
    return value


def test_the_validated_totals_are_those_of_the_calculator(carbon: URL, carbon_host_name: str) -> None:
    with connect(carbon) as connection:
        for report_id, report in expected(carbon_host_name).items():
            found = one(connection, "select get_validated_totals(%s::bigint) as totals", int(report_id))["totals"]
            assert found == same(report["validated_totals"]), report_id


STATS = (
    "select module.carbon_report_id, module.module_type_id, module.stats, "
    "pgreprise.carbon_module_stats(module.carbon_report_id, module.module_type_id, now()) as ours "
    "from public.carbon_report_modules as module where module.stats::jsonb <> 'null'"
)


def without_time(stats: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in stats.items() if key != "computed_at"}


def test_the_stats_of_modules_are_those_of_the_calculator(carbon: URL) -> None:
    found = rows(carbon, STATS)
    assert found
    for row in found:
        assert without_time(row["ours"]) == same(without_time(row["stats"])), row
        assert list(row["ours"]) == list(row["stats"])
        # 2026-11-25T23:40:36.561170+00:00
        assert len(row["ours"]["computed_at"]) == 32


def test_the_stats_of_reports_are_those_of_the_calculator(carbon: URL) -> None:
    found = rows(
        carbon,
        "select report.id, report.stats, pgreprise.carbon_report_stats(report.id, now()) as ours "
        "from public.carbon_reports as report where report.stats::jsonb <> 'null'",
    )
    assert found
    for row in found:
        assert without_time(row["ours"]) == same(without_time(row["stats"])), row
        assert list(row["ours"]) == list(row["stats"])
