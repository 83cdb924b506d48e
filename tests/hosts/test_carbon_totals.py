"""What the routines make of the carbon calculator's rows is what the calculator makes of them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import URL

from tests.support.carbon_host import expected
from tests.support.databases import Connection, connect, rows
from tests.support.numbers import same
from tests.support.statements import one


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


# --- after writes ----------------------------------------------------------------------------

ROLLUPS = (40000, 60100)


def modelled(connection: Connection, report_id: int) -> dict[str, Any]:
    """The validated totals, from the rows of the tables and in plain Python."""
    modules = connection.execute(
        "select module.id, module_type_id, module.status, carbon_report_type::text as type "
        "from public.carbon_report_modules as module "
        "join public.carbon_reports as report on report.id = carbon_report_id "
        "join public.carbon_projects as project on project.id = carbon_project_id where report.id = %s order by 2",
        (report_id,),
    ).fetchall()
    told: dict[str, Any] = {"modules": {}, "total_tonnes_co2eq": 0.0, "total_fte": 0.0}
    for module in modules:
        if module["status"] != 2 and module["type"] != "Simulator_Explore":
            continue
        entries = connection.execute(
            "select id, data from public.data_entries where carbon_report_module_id = %s", (module["id"],)
        ).fetchall()
        kilograms = [
            row["kg_co2eq"]
            for row in connection.execute(
                "select kg_co2eq, emission_type_id from public.data_entry_emissions where data_entry_id = any (%s)",
                ([entry["id"] for entry in entries],),
            ).fetchall()
            if row["emission_type_id"] not in ROLLUPS
        ]
        fte = sum(entry["data"].get("fte") or 0 for entry in entries)
        told["total_fte"] += fte
        told["total_tonnes_co2eq"] += sum(kilograms) / 1000
        if module["module_type_id"] == 1 and entries:
            told["modules"]["1"] = float(fte)
        elif kilograms:
            told["modules"][str(module["module_type_id"])] = sum(kilograms) / 1000
    return told


def all_agree(connection: Connection) -> None:
    for report in connection.execute("select id from public.carbon_reports").fetchall():
        found = one(connection, "select get_validated_totals(%s::bigint) as totals", report["id"])["totals"]
        assert found == same(modelled(connection, report["id"])), report


# As the calculator does it, which knows nothing of pgreprise.
AS_THE_CALCULATOR = """
with entry as (
  insert into public.data_entries (data_entry_type_id, carbon_report_module_id, data, status, created_at, updated_at)
  select 1, module.id, '{"name": "Late", "fte": 0.25, "sius_code": "52"}', 'PENDING', now(), now()
    from public.carbon_report_modules as module
   where module.carbon_report_id = %s and module.module_type_id = 1
  returning id
)
insert into public.data_entry_emissions (data_entry_id, emission_type_id, kg_co2eq, scope, meta, computed_at)
select entry.id, emission.type, emission.kg, emission.scope, emission.meta::json, now()
  from entry, (values (10001, 11.5, 3, '{}'), (30005, 20.25, 3, '{}'), (40000, 31.75, null, '{"is_rollup": true}'))
    as emission(type, kg, scope, meta)
"""


def test_totals_stay_right_while_both_write(carbon: URL) -> None:
    with connect(carbon) as connection:
        report = one(
            connection,
            "select report.id, report.unit_id, report.year from public.carbon_reports as report "
            "join public.carbon_report_modules as module on carbon_report_id = report.id and module_type_id = 1 "
            "join public.data_entries as entry on carbon_report_module_id = module.id "
            "where report.carbon_project_id = (select min(id) from public.carbon_projects) order by id limit 1",
        )
        all_agree(connection)
        before = modelled(connection, report["id"])
        connection.execute(AS_THE_CALCULATOR.encode(), (report["id"],))
        after = modelled(connection, report["id"])
        assert after["total_tonnes_co2eq"] == pytest.approx(before["total_tonnes_co2eq"] + 0.03175)
        all_agree(connection)

        entry = one(
            connection,
            "select entry.id, data_entry_type_id as type from public.data_entries as entry "
            "join public.carbon_report_modules as module on module.id = carbon_report_module_id "
            "where carbon_report_id = %s and module_type_id = 1 order by id limit 1",
            report["id"],
        )
        connection.execute(
            "select delete_data_entry(%s, %s, 'headcount', %s::text, %s)",
            (report["unit_id"], report["year"], entry["type"], entry["id"]),
        )
        # Headcount is in progress now, and counts again when it is validated.
        assert "1" not in modelled(connection, report["id"])["modules"]
        all_agree(connection)
        for module_type_id, status in ((1, 2), (2, 2), (3, 0)):
            connection.execute("select set_carbon_module_status(%s, %s, %s)", (report["id"], module_type_id, status))
            all_agree(connection)
        assert modelled(connection, report["id"])["modules"].keys() >= {"1"}
        assert one(
            connection,
            "select count(*) as differing from carbon_stats_differences() where carbon_report_id = %s "
            "and module_type_id is distinct from 6",
            report["id"],
        ) == {"differing": 0}
