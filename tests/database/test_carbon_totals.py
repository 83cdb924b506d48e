"""Totals: which modules of a report count, what is added up, and what is read for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import URL

from tests.support.carbon import PRINCIPAL, acting, add_entry, add_report, add_unit, claims, refusal, role, set_status
from tests.support.databases import Connection, connect
from tests.support.statements import one


def totals(connection: Connection, report_id: int) -> dict[str, Any]:
    found: dict[str, Any] = one(connection, "select get_validated_totals(%s::bigint) as totals", report_id)["totals"]
    return found


def filled(connection: Connection, report_type: str) -> int:
    """A report: headcount and travel validated, buildings in progress, each with entries; the rest empty."""
    report = add_report(connection, add_unit(connection), 2025, report_type)
    add_entry(connection, report, 1, 300, fte=20)
    add_entry(connection, report, 1, 200.5, fte=5.5)
    add_entry(connection, report, 2, 10000, 5000, rollup=15000)
    add_entry(connection, report, 3, 41700)
    set_status(connection, report, 2, 1, 2, 8)
    set_status(connection, report, 1, 3)
    return report


VALIDATED = {"modules": {"1": 25.5, "2": 15.0}, "total_tonnes_co2eq": 15.5005, "total_fte": 25.5}
EVERYTHING = {"modules": {"1": 25.5, "2": 15.0, "3": 41.7}, "total_tonnes_co2eq": 57.2005, "total_fte": 25.5}


def test_get_validated_totals_calculator_uses_validated_only_true(dba: Connection) -> None:
    found = totals(dba, filled(dba, "Calculator"))
    # Module 8 is validated too, and has no entries.
    assert found == VALIDATED
    assert (found["total_tonnes_co2eq"], found["total_fte"]) == (15.5005, 25.5)


def test_get_validated_totals_simulator_explore_uses_validated_only_false(dba: Connection) -> None:
    found = totals(dba, filled(dba, "Simulator_Explore"))
    assert found == EVERYTHING
    assert (found["total_tonnes_co2eq"], found["total_fte"]) == (57.2005, 25.5)


def test_get_validated_totals_simulator_plan_uses_validated_only_true(dba: Connection) -> None:
    found = totals(dba, filled(dba, "Simulator_Plan"))
    assert found == VALIDATED
    assert (found["total_tonnes_co2eq"], found["total_fte"]) == (15.5005, 25.5)


def test_get_validated_totals_unknown_report_id_uses_validated_only_true(dba: Connection) -> None:
    # An explore report is there, whose modules would all count.
    found = totals(dba, filled(dba, "Simulator_Explore") + 1000)
    assert found == {"modules": {}, "total_tonnes_co2eq": 0.0, "total_fte": 0}
    assert (found["total_tonnes_co2eq"], found["total_fte"]) == (0.0, 0)


def test_a_module_that_is_reopened_counts_no_longer(dba: Connection) -> None:
    report = filled(dba, "Calculator")
    set_status(dba, report, 1, 1)
    assert totals(dba, report) == {"modules": {"2": 15.0}, "total_tonnes_co2eq": 15.0, "total_fte": 0}


def test_fte_counts_where_it_is_a_number_and_is_shown_in_headcount(dba: Connection) -> None:
    report = add_report(dba, add_unit(dba), 2025, "Simulator_Explore")
    add_entry(dba, report, 4, 1000, fte=7)
    add_entry(dba, report, 1, fte=2)
    # As the host's own code may have left them.
    for text in ('{"fte": "3"}', '{"fte": null}', '{"other": 4}', "{}", "[]", "null"):
        entry = add_entry(dba, report, 1)
        dba.execute("update public.data_entries set data = %s where id = %s", (text, entry))
    dba.execute("update public.data_entries set data = null where id = %s", (add_entry(dba, report, 1),))
    assert totals(dba, report) == {"modules": {"1": 2, "4": 1.0}, "total_tonnes_co2eq": 1.0, "total_fte": 9}


def test_a_module_with_entries_and_no_emissions_is_absent_and_headcount_shows_its_fte(dba: Connection) -> None:
    report = add_report(dba, add_unit(dba), 2025, "Simulator_Explore")
    for module in (1, 2):
        add_entry(dba, report, module)
    assert totals(dba, report) == {"modules": {"1": 0}, "total_tonnes_co2eq": 0, "total_fte": 0}
    add_entry(dba, report, 2, 0)
    assert totals(dba, report)["modules"] == {"1": 0, "2": 0}


@pytest.mark.parametrize("rollup", [40000, 60100])
def test_a_rollup_is_told_by_its_type_whatever_else_the_row_says(dba: Connection, rollup: int) -> None:
    report = add_report(dba, add_unit(dba), 2025, "Simulator_Explore")
    add_entry(dba, report, 3, 1000)
    for meta in (None, "{}", '{"is_rollup": false}'):
        dba.execute(
            "insert into public.data_entry_emissions (data_entry_id, emission_type_id, kg_co2eq, scope, meta) "
            "select max(id), %s, 500, 3, %s from public.data_entries",
            (rollup, meta),
        )
    # A leaf that the calculator wrote before its rows had a scope, and with a meta that looks like a roll-up.
    dba.execute(
        "insert into public.data_entry_emissions (data_entry_id, emission_type_id, kg_co2eq, meta) "
        "select max(id), 6010101, 7, '{\"is_rollup\": true}' from public.data_entries"
    )
    assert totals(dba, report)["modules"] == {"3": 1.007}


def test_the_totals_of_a_report_need_access_to_its_unit(dba: Connection) -> None:
    report = filled(dba, "Calculator")
    with acting(dba, claims(role(PRINCIPAL, "unit", "0999"))):
        assert refusal(dba, "select get_validated_totals(%s::bigint)", report).code == "RC002"
        assert totals(dba, report + 1000)["modules"] == {}


def test_a_report_in_no_project_counts_what_is_validated(dba: Connection) -> None:
    report = filled(dba, "Simulator_Explore")
    # As on a host that allows it.
    dba.execute("alter table public.carbon_reports alter column carbon_project_id drop not null")
    dba.execute("update public.carbon_reports set carbon_project_id = null")
    assert totals(dba, report) == VALIDATED


@pytest.mark.parametrize("kilograms", ["0", "-0.1", "NaN", "infinity", "much", None])
def test_a_car_emits_a_positive_number_of_kilograms(dba: Connection, kilograms: str | None) -> None:
    assert refusal(dba, "select set_setting('co2_per_km_kg', %s)", kilograms).code == "RR016"
    dba.execute("select set_setting('co2_per_km_kg', '0.25')")
    [row] = dba.execute("select value from settings() where name = 'co2_per_km_kg'").fetchall()
    assert row == {"value": "0.25"}


# --- among many ------------------------------------------------------------------------------

REPORTS = 100_000


@pytest.fixture(scope="module")
def many(server: URL, new_database: Callable[..., DatabaseJanitor], template: str) -> Iterator[tuple[Connection, int]]:
    """100,000 reports of 10,000 units with two modules and an entry with an emission each, and one that is filled.

    One database for all tests of them, which roll back what they write.
    """
    with new_database(template) as made, connect(server.set(database=made.dbname)) as connection:
        for statement in (
            "insert into public.units (name) select 'unit' from generate_series(1, 10000)",
            "insert into public.carbon_projects (unit_id, carbon_report_type) "
            "select id, 'Calculator' from public.units",
            "insert into public.carbon_reports (year, unit_id, carbon_project_id) "
            "select year, unit_id, id from public.carbon_projects, generate_series(2001, 2010) as year",
            "insert into public.carbon_report_modules (carbon_report_id, module_type_id, status) "
            "select id, type, 2 from public.carbon_reports, generate_series(1, 2) as type",
            "insert into public.data_entries (carbon_report_module_id, data_entry_type_id, data) "
            "select id, 1, '{\"fte\": 1}' from public.carbon_report_modules",
            "insert into public.data_entry_emissions (data_entry_id, emission_type_id, kg_co2eq) "
            "select id, 1, 1 from public.data_entries",
        ):
            connection.execute(statement)
        report = filled(connection, "Calculator")
        connection.execute("vacuum analyze")
        assert one(connection, "select count(*) as reports from public.carbon_reports")["reports"] > REPORTS
        yield connection, report


def rows_read(connection: Connection) -> dict[str, int]:
    """How many rows of each table this transaction has read so far."""
    found = connection.execute(
        "select relname as name, seq_tup_read + coalesce(idx_tup_fetch, 0) as rows "
        "from pg_stat_xact_user_tables where schemaname = 'public'"
    ).fetchall()
    return {str(row["name"]): int(row["rows"]) for row in found}


def read(connection: Connection) -> dict[str, int]:
    """What this transaction has read so far of the carbon tables."""
    return one(
        connection,
        "select sum(seq_scan)::int as sequential, sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::int as rows "
        "from pg_stat_xact_user_tables where relname in ('units', 'carbon_projects', 'carbon_reports', "
        "'carbon_report_modules', 'data_entries', 'data_entry_emissions')",
    )


@pytest.mark.needs("time")
@pytest.mark.parametrize("plans", ["auto", "force_generic_plan"])
def test_totals_of_one_report_among_100_000_read_that_reports_rows_only(
    many: tuple[Connection, int], plans: str
) -> None:
    connection, report = many
    # The planner looks at more of an index whose last rows were rolled back.
    connection.execute("vacuum (index_cleanup on)")
    connection.execute(f"set plan_cache_mode = {plans}")
    with connection.transaction():
        before, before_by_table = read(connection), rows_read(connection)
        assert totals(connection, report) == VALIDATED
        after, after_by_table = read(connection), rows_read(connection)
    assert after["sequential"] == before["sequential"]
    rows = {table: count - before_by_table[table] for table, count in after_by_table.items()}
    # Modules and entries are read for their FTE and for their emissions; a generic plan reads entries once more.
    assert (rows["carbon_reports"], rows["carbon_report_modules"]) == (1, 2 * 8)
    # The planner may look at the last one of an index once more: of emissions, entries, units and projects.
    assert rows["data_entry_emissions"] in (6, 6 + 1)
    assert rows["data_entries"] in (4, 4 + 1, 8, 8 + 1)
    assert sum(rows.values()) <= 1 + 16 + 9 + 7 + 4


@pytest.mark.needs("time")
@pytest.mark.parametrize("plans", ["auto", "force_generic_plan"])
def test_every_call_about_one_report_goes_by_an_index(many: tuple[Connection, int], plans: str) -> None:
    connection, report = many
    connection.execute(f"set plan_cache_mode = {plans}")
    found = one(connection, "select unit_id from public.carbon_reports where id = %s", report)
    unit = found["unit_id"]
    entry = one(
        connection,
        "select min(entry.id) as id from public.data_entries as entry "
        "join public.carbon_report_modules as module on module.id = entry.carbon_report_module_id "
        "where module.carbon_report_id = %s and module.module_type_id = 1",
        report,
    )["id"]
    explore = one(
        connection,
        "select coalesce(pgreprise.carbon_report_id(%s, 2025, 'Simulator_Explore'), "
        "(select id from create_explore_report(%s, 2025))) as id",
        unit,
        unit,
    )["id"]
    for call in (
        "select get_carbon_reports({unit})",
        "select get_carbon_report_of_year({unit}, 2025)",
        "select get_carbon_report({report})",
        "select get_carbon_report_modules({report})",
        "select get_results_summary({report})",
        "select get_emission_breakdown({report})",
        "select get_it_breakdown({report})",
        "select get_carbon_module({unit}, 2025, 'professional-travel')",
        "select get_module_view({unit}, 2025, 'professional-travel')",
        "select get_data_entries({unit}, 2025, 'headcount', 'member')",
        "select get_data_entry({unit}, 2025, 'headcount', 'member', {entry})",
        "select get_headcount_members({unit}, 2025)",
        "select get_module_classes({unit}, 2025, 'equipment')",
        "select get_trips({unit}, 2025)",
        "select is_unique_in_module({unit}, 2025, 'headcount', 'member', 'name', 'x')",
        "select create_data_entry({unit}, 2025, 'headcount', 'student', '{{\"fte\": 1}}')",
        "select update_data_entry({unit}, 2025, 'headcount', 'member', {entry}, '{{\"note\": \"n\"}}')",
        "select delete_data_entry({unit}, 2025, 'headcount', 'member', {entry})",
        "select set_carbon_module_status({report}, 1, 2)",
        "select create_explore_report({unit}, 2026)",
        "select get_explore_report({unit}, 2025, '2100-01-01')",
        "select refresh_explore_report({unit}, {explore}, 2025, '2100-01-01')",
        'select bulk_upsert_carbon_reports(\'[{{"unit_id": {unit}, "year": 2026}}]\')',
    ):
        with connection.transaction(force_rollback=True):
            before = read(connection)
            connection.execute(call.format(unit=unit, report=report, entry=entry, explore=explore).encode())
            after = read(connection)
        assert after["sequential"] == before["sequential"], call
        assert after["rows"] - before["rows"] <= 150, call
