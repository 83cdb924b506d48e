"""A unit tries things out in an explore report: getting one, creating one, refreshing a stale one."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.carbon import (
    DAY,
    NOW,
    NOW_EPOCH,
    READ,
    STANDARD,
    acting,
    add_entry,
    add_report,
    add_unit,
    claims,
    refusal,
    role,
    set_status,
    snapshot,
)
from tests.support.databases import Connection
from tests.support.statements import one

REPORT_COLUMNS = [
    "id",
    "year",
    "reference_year",
    "unit_id",
    "carbon_project_id",
    "stats",
    "last_updated",
    "completion_progress",
    "overall_status",
]


def get(connection: Connection, unit_id: int, year: int = 2025, as_of: str = NOW) -> list[dict[str, Any]]:
    statement = "select (found.stored).*, found.is_stale from get_explore_report(%s, %s, %s) as found"
    try:
        with connection.transaction():
            return connection.execute(statement, (unit_id, year, as_of)).fetchall()
    except psycopg.Error as error:
        if error.sqlstate != "RC003":
            raise
        return []


def create(connection: Connection, unit_id: int, year: int = 2025, as_of: str = NOW) -> dict[str, Any]:
    return one(connection, "select * from create_explore_report(%s, %s, %s)", unit_id, year, as_of)


def refresh(
    connection: Connection, unit_id: int, report_id: int, year: int = 2025, as_of: str = NOW
) -> list[dict[str, Any]]:
    return connection.execute(
        "select * from refresh_explore_report(%s, %s, %s, %s)", (unit_id, report_id, year, as_of)
    ).fetchall()


@pytest.fixture
def unit(sandbox: Connection) -> int:
    """A unit."""
    return add_unit(sandbox)


# --- get -------------------------------------------------------------------------------------


def test_get_explore_returns_none_when_not_found(sandbox: Connection, unit: int) -> None:
    assert get(sandbox, unit) == []


def test_get_explore_is_idempotent_on_empty_db(sandbox: Connection, unit: int) -> None:
    before = snapshot(sandbox)
    assert [get(sandbox, unit) for _ in range(3)] == [[], [], []]
    assert snapshot(sandbox) == before
    assert before["carbon_projects"] == before["carbon_reports"] == []


def test_get_explore_returns_existing_report(sandbox: Connection, unit: int) -> None:
    created = create(sandbox, unit)
    assert get(sandbox, unit) == [{**created, "is_stale": False}]
    assert list(created) == REPORT_COLUMNS


def test_get_explore_does_not_cross_units(sandbox: Connection, unit: int) -> None:
    other = add_unit(sandbox, "0207")
    create(sandbox, unit)
    assert get(sandbox, other) == []
    created = create(sandbox, other)
    assert [found["id"] for found in get(sandbox, other)] == [created["id"]]


def test_get_explore_does_not_cross_years(sandbox: Connection, unit: int) -> None:
    create(sandbox, unit, 2025)
    assert get(sandbox, unit, 2024) == []
    created = create(sandbox, unit, 2024)
    assert [found["id"] for found in get(sandbox, unit, 2024)] == [created["id"]]


def test_get_explore_finds_no_report_of_another_type(sandbox: Connection, unit: int) -> None:
    add_report(sandbox, unit, 2025, "Calculator")
    add_report(sandbox, unit, 2025, "Simulator_Plan")
    assert get(sandbox, unit) == []


@pytest.mark.parametrize(
    ("last_updated", "as_of", "is_stale"),
    [
        (NOW_EPOCH, NOW, False),
        (NOW_EPOCH - DAY, NOW, False),
        (NOW_EPOCH - DAY, "2026-05-05 12:00:00.000001+00", True),
        (NOW_EPOCH - DAY - 1, NOW, True),
        (NOW_EPOCH + DAY, NOW, False),
        (None, NOW, True),
    ],
)
def test_a_report_is_stale_when_it_is_older_than_24_hours_to_the_second_or_has_no_age(
    sandbox: Connection, unit: int, last_updated: int | None, as_of: str, is_stale: bool
) -> None:
    add_report(sandbox, unit, 2025, "Simulator_Explore", last_updated=last_updated)
    [found] = get(sandbox, unit, as_of=as_of)
    assert (found["last_updated"], found["is_stale"]) == (last_updated, is_stale)


# --- create ----------------------------------------------------------------------------------


def test_create_explore_creates_report_and_modules(sandbox: Connection, unit: int) -> None:
    # Nothing is taken from the Calculator's report.
    calculator = add_report(sandbox, unit, 2025)
    for module_type_id in range(1, 9):
        add_entry(sandbox, calculator, module_type_id, 1500)
    created = create(sandbox, unit)
    project = one(sandbox, "select * from get_carbon_project(%s, 1)", unit)
    assert created == {
        "id": created["id"],
        "year": 2025,
        "reference_year": None,
        "unit_id": unit,
        "carbon_project_id": project["id"],
        "stats": None,
        "last_updated": NOW_EPOCH,
        "completion_progress": None,
        "overall_status": 0,
    }
    assert project["carbon_report_type"] == "Simulator_Explore"
    modules = sandbox.execute("select * from get_carbon_report_modules(%s::bigint)", (created["id"],)).fetchall()
    assert [(module["module_type_id"], module["status"], module["stats"]) for module in modules] == [
        (number, 0, None) for number in range(1, 9)
    ]
    assert len(snapshot(sandbox)["data_entries"]) == 8


def test_reports_of_several_years_share_the_units_explore_project(sandbox: Connection, unit: int) -> None:
    created = [create(sandbox, unit, year) for year in (2023, 2024, 2025)]
    assert len({report["carbon_project_id"] for report in created}) == 1


def test_a_second_explore_report_is_refused(sandbox: Connection, unit: int) -> None:
    created = create(sandbox, unit)
    said = refusal(sandbox, "select create_explore_report(%s, 2025)", unit)
    assert (said.code, said.message) == ("RC004", f"Unit #{unit} already has a Simulator_Explore report of 2025.")
    assert said.detail == {
        "unit_id": unit,
        "year": 2025,
        "carbon_project_id": created["carbon_project_id"],
        "carbon_report_type": "Simulator_Explore",
    }


@pytest.mark.parametrize("year", [None, 0, 999, 10000, -2025])
def test_an_explore_report_needs_a_year_of_four_digits(sandbox: Connection, unit: int, year: int | None) -> None:
    assert refusal(sandbox, "select create_explore_report(%s, %s::bigint)", unit, year).code == "RC008"


# --- refresh ---------------------------------------------------------------------------------


@pytest.fixture
def stale(sandbox: Connection, unit: int) -> int:
    """An explore report that has been in use and is stale at NOW."""
    report = add_report(sandbox, unit, 2025, "Simulator_Explore", last_updated=NOW_EPOCH - DAY - 1, overall_status=1)
    add_entry(sandbox, report, 1, fte=3)
    add_entry(sandbox, report, 2, 100, 200, rollup=300)
    set_status(sandbox, report, 2, 2)
    return report


def test_a_refresh_puts_an_empty_report_in_the_place_of_a_stale_one(sandbox: Connection, unit: int, stale: int) -> None:
    neighbour = add_report(sandbox, unit, 2024, "Simulator_Explore", last_updated=None)
    calculator = add_report(sandbox, unit, 2025)
    for report in (neighbour, calculator):
        add_entry(sandbox, report, 2, 5)
    kept = {table: len(rows) for table, rows in snapshot(sandbox).items()}

    [fresh] = refresh(sandbox, unit, stale)
    assert fresh["id"] not in (stale, neighbour, calculator)
    assert (fresh["year"], fresh["last_updated"], fresh["overall_status"], fresh["stats"]) == (2025, NOW_EPOCH, 0, None)
    assert get(sandbox, unit) == [{**fresh, "is_stale": False}]
    after = {table: len(rows) for table, rows in snapshot(sandbox).items()}
    assert after == {
        **kept,
        "data_entries": kept["data_entries"] - 2,
        "data_entry_emissions": kept["data_entry_emissions"] - 3,
    }
    assert {
        row["status"] for row in sandbox.execute("select status from get_carbon_report_modules(%s)", (fresh["id"],))
    } == {0}


def test_a_refresh_again_changes_nothing(sandbox: Connection, unit: int, stale: int) -> None:
    refresh(sandbox, unit, stale)
    before = snapshot(sandbox)
    assert refresh(sandbox, unit, stale) == []
    assert snapshot(sandbox) == before


def test_a_report_without_last_updated_is_refreshed(sandbox: Connection, unit: int) -> None:
    report = add_report(sandbox, unit, 2025, "Simulator_Explore", last_updated=None)
    assert len(refresh(sandbox, unit, report)) == 1


def test_a_report_that_is_in_use_is_not_refreshed(sandbox: Connection, unit: int, stale: int) -> None:
    sandbox.execute("update public.carbon_reports set last_updated = %s where id = %s", (NOW_EPOCH - DAY, stale))
    before = snapshot(sandbox)
    assert refresh(sandbox, unit, stale) == []
    assert snapshot(sandbox) == before


@pytest.mark.parametrize("kind", ["another unit", "another year", "Calculator", "Simulator_Plan", "no report"])
def test_a_refresh_of_anything_but_that_units_explore_report_of_that_year_changes_nothing(
    sandbox: Connection, unit: int, stale: int, kind: str
) -> None:
    old, year, of_unit = stale, 2025, unit
    match kind:
        case "another unit":
            of_unit = add_unit(sandbox, "0207")
        case "another year":
            year = 2024
        case "no report":
            old = stale + 1000
        case _:
            old = add_report(sandbox, unit, 2025, kind, last_updated=None)
    before = snapshot(sandbox)
    assert refresh(sandbox, of_unit, old, year) == []
    assert snapshot(sandbox) == before


def test_a_refresh_by_a_caller_without_access_is_refused(sandbox: Connection, unit: int, stale: int) -> None:
    with acting(sandbox, claims(role(STANDARD, "unit", "0999"))):
        said = refusal(sandbox, "select refresh_explore_report(%s, %s, 2025, %s)", unit, stale, NOW)
    assert said.code == "RC002"


def test_who_may_read_a_report_may_have_it_refreshed(sandbox: Connection, unit: int, stale: int) -> None:
    with acting(sandbox, claims(role(STANDARD, "own", "0184"), scope=READ)):
        assert len(refresh(sandbox, unit, stale)) == 1


def test_a_refresh_that_fails_leaves_the_stale_report_whole(sandbox: Connection, unit: int, stale: int) -> None:
    # A table of the host that refers to reports.
    sandbox.execute("create table public.bookmark (report_id bigint references public.carbon_reports (id))")
    sandbox.execute("insert into public.bookmark values (%s)", (stale,))
    before = snapshot(sandbox)
    with pytest.raises(psycopg.errors.ForeignKeyViolation), sandbox.transaction():
        refresh(sandbox, unit, stale)
    assert snapshot(sandbox) == before
    assert [found["id"] for found in get(sandbox, unit)] == [stale]


# --- projects --------------------------------------------------------------------------------


def test_getting_a_project_never_creates_one_and_creating_one_never_gets_one(sandbox: Connection, unit: int) -> None:
    before = snapshot(sandbox)
    assert sandbox.execute("select * from get_carbon_project(%s)", (unit,)).fetchall() == []
    assert snapshot(sandbox) == before

    created = one(sandbox, "select * from create_carbon_project(%s, 2, 2025, 2030, 'Net zero')", unit)
    assert (created["carbon_report_type"], created["start_year"], created["end_year"], created["name"]) == (
        "Simulator_Plan",
        2025,
        2030,
        "Net zero",
    )
    assert one(sandbox, "select * from get_carbon_project(%s, 2)", unit) == created
    assert sandbox.execute("select * from get_carbon_project(%s, 0)", (unit,)).fetchall() == []
    assert refusal(sandbox, "select create_carbon_project(%s, 2)", unit).code == "RC004"


# --- reading in a read-only transaction ------------------------------------------------------

GETS = [
    "select * from get_carbon_project({unit})",
    "select * from get_explore_report({unit}, 2025)",
    "select * from get_carbon_reports({unit})",
    "select * from get_carbon_report_of_year({unit}, 2025)",
    "select * from get_carbon_report({report})",
    "select * from get_carbon_report_modules({report})",
    "select * from get_carbon_module({unit}, 2025, 'headcount')",
    "select * from get_data_entries({unit}, 2025, 'headcount', 'member')",
    "select * from get_data_entry({unit}, 2025, 'headcount', 'member', {entry})",
    "select * from get_module_view({unit}, 2025, 'headcount')",
    "select * from get_module_classes({unit}, 2025, 'equipment')",
    "select * from get_headcount_members({unit}, 2025)",
    "select * from get_trips({unit}, 2025)",
    "select * from get_validated_totals({report})",
    "select * from get_results_summary({report})",
    "select * from get_emission_breakdown({report})",
    "select * from get_it_breakdown({report})",
    "select * from example_units()",
]


@pytest.mark.parametrize("statement", GETS, ids=lambda statement: statement.split()[3].split("(")[0])
def test_what_only_looks_runs_in_a_read_only_transaction(sandbox: Connection, unit: int, statement: str) -> None:
    add_report(sandbox, unit, 2025, "Simulator_Explore")
    report = add_report(sandbox, unit, 2025)
    entry = add_entry(sandbox, report, 1, fte=1)
    sandbox.execute('update public.data_entries set data = data::jsonb || \'{"user_institutional_id": "1"}\'')
    before = snapshot(sandbox)
    with sandbox.transaction():
        sandbox.execute("set transaction read only")
        assert sandbox.execute(statement.format(unit=unit, report=report, entry=entry).encode()).fetchall()
    assert snapshot(sandbox) == before


def test_all_gets_are_stable_and_are_tried_above(sandbox: Connection) -> None:
    found = sandbox.execute(
        "select proname, provolatile from pg_proc join pgreprise.routine_version as registered "
        "on registered.routine = 'public.' || proname where registered.name ~ '^carbon/(get|example)_(?!or_create)'"
    ).fetchall()
    assert {row["provolatile"] for row in found} == {"s"}
    assert {row["proname"] for row in found} == {statement.split()[3].split("(")[0] for statement in GETS}


# --- getting or creating ---------------------------------------------------------------------


def get_or_create(connection: Connection, unit_id: int, as_of: str = NOW) -> dict[str, Any]:
    return one(
        connection,
        "select (found.stored).*, is_stale, is_new from get_or_create_explore_report(%s, 2025, %s) as found",
        unit_id,
        as_of,
    )


def test_get_or_create_creates_once_and_changes_nothing_then(sandbox: Connection, unit: int) -> None:
    created = get_or_create(sandbox, unit)
    assert (created["is_new"], created["is_stale"], created["last_updated"]) == (True, False, NOW_EPOCH)
    before = snapshot(sandbox)
    assert get_or_create(sandbox, unit) == {**created, "is_new": False}
    # A stale one is returned as it is.
    later = get_or_create(sandbox, unit, "2026-05-07 12:00:00+00")
    assert (later["id"], later["is_stale"], later["is_new"]) == (created["id"], True, False)
    assert snapshot(sandbox) == before


def test_get_or_create_needs_a_year_and_access(sandbox: Connection, unit: int) -> None:
    assert refusal(sandbox, "select get_or_create_explore_report(%s, 25)", unit).code == "RC008"
    assert refusal(sandbox, "select get_or_create_explore_report(%s, 2025)", unit + 1000).code == "RC001"
    with acting(sandbox, claims(role(STANDARD, "own", "0999"))):
        assert refusal(sandbox, "select get_or_create_explore_report(%s, 2025)", unit).code == "RC002"


# --- failures --------------------------------------------------------------------------------


def test_a_failure_is_kept_only_of_a_stale_report_of_that_unit(sandbox: Connection, unit: int, stale: int) -> None:
    record = "select record_failed_refresh(%s, %s, %s, 'why', %s)"
    other = add_report(sandbox, unit, 2024)
    fresh = add_report(sandbox, unit, 2026, "Simulator_Explore")
    kept = "select report_id, failures from pgreprise.failed_refresh"
    for report_id, year in ((other, 2024), (fresh, 2026), (stale, 2024), (stale + 1000, 2025)):
        sandbox.execute(record, (unit, report_id, year, NOW))
        assert sandbox.execute(kept).fetchall() == []
    for failures in (1, 2):
        sandbox.execute(record, (unit, stale, 2025, NOW))
        assert sandbox.execute(kept).fetchall() == [{"report_id": stale, "failures": failures}]
    with acting(sandbox, claims(role(STANDARD, "own", "0999"), scope=READ)):
        assert refusal(sandbox, record, unit, stale, 2025, NOW).code == "RC002"


# --- a plan of it ----------------------------------------------------------------------------


def test_a_plan_is_made_of_an_explore_report_with_all_that_is_in_it(sandbox: Connection, unit: int, stale: int) -> None:
    sandbox.execute("select record_failed_refresh(%s, %s, 2025, 'why', %s)", (unit, stale, NOW))
    before = snapshot(sandbox)
    converted = one(sandbox, "select * from convert_explore_report(%s::bigint, %s)", stale, NOW)
    plan = one(sandbox, "select * from get_carbon_project(%s, 2)", unit)
    assert (converted["id"], converted["carbon_project_id"]) == (stale, plan["id"])
    assert converted["last_updated"] == NOW_EPOCH
    after = snapshot(sandbox)
    for table in ("carbon_report_modules", "data_entries", "data_entry_emissions"):
        assert after[table] == before[table]
    assert get(sandbox, unit) == []
    assert one(sandbox, "select count(*) as n from pgreprise.failed_refresh")["n"] == 0
    # It is found as a plan, never stale, and there may be a new explore report.
    module = one(
        sandbox, "select (stored).carbon_report_id as id from get_carbon_module(%s, 2025, 'headcount', 2)", unit
    )
    assert module["id"] == stale
    assert refresh(sandbox, unit, stale, as_of="2030-01-01") == []
    assert create(sandbox, unit)["id"] != stale


def test_only_an_explore_report_is_converted_and_a_plan_is_not_overwritten(
    sandbox: Connection, unit: int, stale: int
) -> None:
    convert = "select convert_explore_report(%s::bigint)"
    calculator = add_report(sandbox, unit, 2025)
    plan = add_report(sandbox, unit, 2025, "Simulator_Plan")
    for report_id, code in ((calculator, "RC008"), (plan, "RC008"), (plan + 1000, "RC003"), (stale, "RC004")):
        assert refusal(sandbox, convert, report_id).code == code
    assert refusal(sandbox, convert, stale).message == f"Unit #{unit} already has a Simulator_Plan report of 2025."
    with acting(sandbox, claims(role(STANDARD, "own", "0999"))):
        assert refusal(sandbox, convert, stale).code == "RC002"
