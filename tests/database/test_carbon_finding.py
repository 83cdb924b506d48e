"""Somebody finds units, projects and reports: what is listed, to whom, in which pages, and what it costs."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from pyapi.schema import files
from tests.support.carbon import (
    ADMIN,
    DAY,
    EVERYWHERE,
    METIER,
    NOW,
    NOW_EPOCH,
    PRINCIPAL,
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

HERE, THERE = "0184", "0200"
LISTS = ["find_carbon_units()", "find_carbon_reports()", "find_explore_reports()"]


def found(connection: Connection, routine: str, **given: Any) -> list[dict[str, Any]]:
    arguments = ", ".join(f"{name} => %({name})s" for name in given)
    return connection.execute(f"select * from {routine}({arguments})".encode(), given).fetchall()  # noqa: S608


def ids(connection: Connection, routine: str, **given: Any) -> list[int]:
    return [row["id"] for row in found(connection, routine, **given)]


def entered(connection: Connection, report: int) -> int:
    """Give a report headcount and travel that are validated, and buildings that are not."""
    add_entry(connection, report, 1, 200.5, fte=5.5)
    add_entry(connection, report, 2, 10000, 5000, rollup=15000)
    add_entry(connection, report, 3, 41700)
    set_status(connection, report, 2, 1, 2, 8)
    return report


@pytest.fixture
def rows(sandbox: Connection) -> dict[str, int]:
    """Three units, of which one has no institutional id, and their reports."""
    here, there, nameless = add_unit(sandbox, HERE), add_unit(sandbox, THERE, "Écologie"), add_unit(sandbox, None)
    return {
        "here": here,
        "there": there,
        "nameless": nameless,
        "calculator": entered(sandbox, add_report(sandbox, here)),
        "next year": add_report(sandbox, here, 2026, last_updated=NOW_EPOCH + 60),
        "explore": entered(sandbox, add_report(sandbox, here, 2025, "Simulator_Explore", last_updated=NOW_EPOCH - DAY)),
        "explore there": add_report(sandbox, there, 2024, "Simulator_Explore", last_updated=None),
        "plan there": entered(sandbox, add_report(sandbox, there, 2025, "Simulator_Plan")),
        "explore nameless": add_report(sandbox, nameless, 2025, "Simulator_Explore"),
    }


# --- what is listed --------------------------------------------------------------------------


def test_units_are_listed_with_what_they_have(sandbox: Connection, rows: dict[str, int]) -> None:
    empty = add_unit(sandbox, "0999", "Nothing yet")
    listed = {row.pop("id"): row for row in found(sandbox, "find_carbon_units")}
    assert list(listed) == [rows["here"], rows["there"], rows["nameless"], empty]
    last = listed[rows["here"]].pop("last_updated")
    assert last.timestamp() == NOW_EPOCH + 60
    assert listed[rows["here"]] == {
        "institutional_id": HERE,
        "name": "Laboratory",
        "projects": {"Calculator": 1, "Simulator_Explore": 1},
        "reports": 3,
    }
    assert listed[empty] == {
        "institutional_id": "0999",
        "name": "Nothing yet",
        "projects": {},
        "reports": 0,
        "last_updated": None,
    }


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("labor", ["here", "nameless"]),
        ("LABORATORY", ["here", "nameless"]),
        ("ÉCO", ["there"]),
        ("018", ["here"]),
        ("", ["here", "there", "nameless"]),
        # No pattern.
        ("%", []),
        ("Lab_ratory", []),
    ],
)
def test_units_are_searched_by_a_part_of_name_or_institutional_id(
    sandbox: Connection, rows: dict[str, int], search: str, expected: list[str]
) -> None:
    assert ids(sandbox, "find_carbon_units", search=search) == [rows[name] for name in expected]


def test_the_projects_of_a_unit_are_listed_by_type(sandbox: Connection, rows: dict[str, int]) -> None:
    sandbox.execute(
        "update public.carbon_projects set name = 'Footprint', start_year = 2025, end_year = 2030 "
        "where unit_id = %s and carbon_report_type = 'Calculator'",
        (rows["here"],),
    )
    calculator, explore = found(sandbox, "find_carbon_projects", unit_id=rows["here"])
    assert calculator.pop("last_updated").timestamp() == NOW_EPOCH + 60
    stored = one(sandbox, "select id from get_carbon_project(%s)", rows["here"])
    assert calculator == {
        "id": stored["id"],
        "carbon_project_type": 0,
        "carbon_report_type": "Calculator",
        "start_year": 2025,
        "end_year": 2030,
        "name": "Footprint",
        "is_viewable_by_unit_members": False,
        "reports": 2,
    }
    assert (explore["carbon_project_type"], explore["carbon_report_type"]) == (1, "Simulator_Explore")


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, ["calculator", "next year", "explore", "explore there", "plan there", "explore nameless"]),
        ({"unit": "here"}, ["calculator", "next year", "explore"]),
        ({"carbon_project_type": 1}, ["explore", "explore there", "explore nameless"]),
        ({"carbon_project_type": 2, "year": 2025}, ["plan there"]),
        ({"unit": "here", "carbon_project_type": 0, "year": 2026}, ["next year"]),
        ({"year": 1999}, []),
        ({"after": "explore", "max_rows": 2}, ["explore there", "plan there"]),
    ],
)
def test_reports_are_listed_by_unit_type_and_year(
    sandbox: Connection, rows: dict[str, int], conditions: dict[str, Any], expected: list[str]
) -> None:
    names = {"unit": "unit_id", "after": "after_report_id"}
    given = {names.get(name, name): rows[value] if name in names else value for name, value in conditions.items()}
    assert ids(sandbox, "find_carbon_reports", **given) == [rows[name] for name in expected]


def test_a_listed_report_tells_its_unit_its_progress_and_its_totals(sandbox: Connection, rows: dict[str, int]) -> None:
    before = snapshot(sandbox)
    listed = {row["id"]: row for row in found(sandbox, "find_carbon_reports")}
    for report, row in listed.items():
        assert row["totals"] == one(sandbox, "select get_validated_totals(%s::bigint) as totals", report)["totals"]
    calculator = listed[rows["calculator"]]
    assert calculator.pop("last_updated").timestamp() == NOW_EPOCH
    assert calculator == {
        "id": rows["calculator"],
        "unit_id": rows["here"],
        "institutional_id": HERE,
        "unit_name": "Laboratory",
        "carbon_project_id": one(sandbox, "select id from get_carbon_project(%s)", rows["here"])["id"],
        "carbon_project_type": 0,
        "carbon_report_type": "Calculator",
        "year": 2025,
        "reference_year": None,
        "overall_status": 0,
        "completion_progress": "0/8",
        "validated_modules": 3,
        "totals": {"modules": {"1": 5.5, "2": 15.0}, "total_tonnes_co2eq": 15.2005, "total_fte": 5.5},
    }
    # All modules of an explore report count.
    assert listed[rows["explore"]]["totals"]["total_tonnes_co2eq"] == 56.9005
    assert snapshot(sandbox) == before


@pytest.mark.parametrize(("seconds", "is_stale"), [(DAY - 1, False), (DAY, False), (DAY + 1, True), (None, True)])
def test_an_explore_report_is_stale_after_a_day(
    sandbox: Connection, rows: dict[str, int], seconds: int | None, is_stale: bool
) -> None:
    sandbox.execute(
        "update public.carbon_reports set last_updated = %s - %s::bigint where id = %s",
        (NOW_EPOCH, seconds, rows["explore"]),
    )
    listed = {row["id"]: row for row in found(sandbox, "find_explore_reports", as_of=NOW)}
    assert list(listed) == [rows["explore"], rows["explore there"], rows["explore nameless"]]
    row = listed[rows["explore"]]
    assert row["is_stale"] == is_stale
    assert row["age"] == (None if seconds is None else timedelta(seconds=seconds))
    assert (row["unit_id"], row["unit_name"], row["reference_year"]) == (rows["here"], "Laboratory", 2025)
    # It is what a reader of the one report is told.
    told = one(sandbox, "select found.is_stale from get_explore_report(%s, 2025, %s) as found", rows["here"], NOW)
    assert told["is_stale"] == is_stale


def test_an_explore_report_tells_the_last_failed_refresh(sandbox: Connection, rows: dict[str, int]) -> None:
    failures = ("failures", "first_failed_at", "last_failed_at", "failure_message")
    before = found(sandbox, "find_explore_reports", as_of=NOW)
    assert all(row[name] is None for row in before for name in failures)
    for hours, message in ((25, "first"), (26, "locked")):
        sandbox.execute(
            "select record_failed_refresh(%s, %s, 2025, %s, %s::timestamptz + make_interval(hours => %s))",
            (rows["here"], rows["explore"], message, NOW, hours),
        )
    [row] = [row for row in found(sandbox, "find_explore_reports", as_of=NOW) if row["id"] == rows["explore"]]
    assert (row["failures"], row["failure_message"]) == (2, "locked")
    assert row["last_failed_at"] - row["first_failed_at"] == timedelta(hours=1)


def test_a_time_that_no_calendar_has_is_no_time(sandbox: Connection, rows: dict[str, int]) -> None:
    sandbox.execute("update public.carbon_reports set last_updated = 9223372036854775807")
    for routine in ("find_carbon_units", "find_carbon_reports", "find_explore_reports"):
        assert {row["last_updated"] for row in found(sandbox, routine)} == {None}
    [row] = found(sandbox, "find_explore_reports", as_of="infinity", max_rows=1)
    assert (row["id"], row["age"], row["is_stale"]) == (rows["explore"], None, True)


# --- pages -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("routine", "position"),
    [
        ("find_carbon_units", "after_unit_id"),
        ("find_carbon_reports", "after_report_id"),
        ("find_explore_reports", "after_report_id"),
    ],
)
@pytest.mark.usefixtures("rows")
def test_pages_give_each_row_once(sandbox: Connection, routine: str, position: str) -> None:
    everything = ids(sandbox, routine)
    assert everything == sorted(set(everything))
    pages: list[int] = []
    while page := ids(sandbox, routine, max_rows=2, **{position: pages[-1] if pages else None}):
        assert len(page) <= 2
        pages += page
    assert pages == everything


@pytest.mark.parametrize(
    "routine", ["find_carbon_units", "find_carbon_reports", "find_explore_reports", "carbon_duplicates"]
)
@pytest.mark.parametrize("rows_wanted", ["0", "1001", "null"])
def test_a_page_has_1_to_1000_rows(sandbox: Connection, routine: str, rows_wanted: str) -> None:
    refused = refusal(sandbox, f"select * from {routine}(max_rows => {rows_wanted})")  # noqa: S608
    assert refused.code == "RR016"


# --- who sees what ---------------------------------------------------------------------------

CALLERS = {
    "principal here": claims(role(PRINCIPAL, "unit", HERE), scope=READ),
    "standard there": claims(role(STANDARD, "own", THERE), scope=READ),
    "both": claims(role(METIER, "unit", HERE), role(STANDARD, "own", THERE), scope=READ),
    "admin": claims(role(ADMIN, "global"), scope=READ),
    "operator": EVERYWHERE,
    "affiliation": claims({"role": METIER, "on": {"kind": "affiliation", "affiliation": "ENAC"}}, scope=READ),
    "empty id": claims(role(PRINCIPAL, "unit", ""), scope=READ),
    "elsewhere": claims(role(PRINCIPAL, "unit", "0300"), scope=READ),
    "unknown role": claims(role("calco2.visitor", "global"), scope=READ),
    "no roles": claims(scope=READ),
    "no token": None,
}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.usefixtures("rows")
def test_lists_hold_exactly_what_the_caller_may_view(sandbox: Connection, caller: str) -> None:
    # A role on '' does not see the unit with ''.
    add_report(sandbox, add_unit(sandbox, ""), 2025, "Simulator_Explore")
    units = [row["id"] for row in sandbox.execute("select id from public.units order by id").fetchall()]
    reports = sandbox.execute("select id, unit_id from public.carbon_reports order by id").fetchall()
    with acting(sandbox, CALLERS[caller]):
        viewable = [u for u in units if one(sandbox, "select pgreprise_test_may_view(%s) as may", u)["may"]]
        assert ids(sandbox, "find_carbon_units") == viewable
        assert ids(sandbox, "find_carbon_reports") == [row["id"] for row in reports if row["unit_id"] in viewable]
        assert {row["unit_id"] for row in found(sandbox, "find_explore_reports")} == set(viewable)
    expected = {"principal here": 1, "standard there": 1, "both": 2, "admin": 4, "operator": 4}
    assert len(viewable) == expected.get(caller, 0)


@pytest.fixture(autouse=True)
def may_view(sandbox: Connection) -> None:
    """Whether require_unit_access lets the caller pass, as a function of the test."""
    sandbox.execute(
        """
        create function public.pgreprise_test_may_view(unit_id bigint) returns boolean language plpgsql as $$
        begin
          perform public.require_unit_access(unit_id);
          return true;
        exception when sqlstate 'RC002' then return false;
        end $$
        """
    )
    sandbox.execute("grant execute on function public.pgreprise_test_may_view to pgreprise_api")


def test_a_unit_that_is_given_must_exist_and_be_the_callers(sandbox: Connection, rows: dict[str, int]) -> None:
    for routine in ("find_carbon_projects", "find_carbon_reports"):
        statement = f"select * from {routine}(unit_id => %s)"  # noqa: S608
        with acting(sandbox, CALLERS["principal here"]):
            assert found(sandbox, routine, unit_id=rows["here"])
            assert refusal(sandbox, statement, rows["there"]).code == "RC002"
            assert refusal(sandbox, statement, 99999).code == "RC001"
            assert refusal(sandbox, "select * from find_carbon_projects(null)").code == "RC001"


@pytest.mark.usefixtures("rows")
def test_an_unknown_type_is_refused(sandbox: Connection) -> None:
    assert refusal(sandbox, "select * from find_carbon_reports(carbon_project_type => 3)").code == "RC005"


@pytest.mark.usefixtures("rows")
def test_the_scope_to_read_is_needed(sandbox: Connection) -> None:
    with acting(sandbox, claims(role(ADMIN, "global"), scope="reports:write")):
        for call in [*LISTS, "find_carbon_projects(1)", "carbon_duplicates()", "carbon_stats_differences()"]:
            assert refusal(sandbox, f"select * from {call}").code == "RR017", call  # noqa: S608


def test_differing_stats_are_those_of_the_callers_units(sandbox: Connection, rows: dict[str, int]) -> None:
    sandbox.execute("update public.carbon_reports set stats = '{\"total\": 1}'")

    def differing(caller: str) -> set[int]:
        with acting(sandbox, CALLERS[caller]):
            return {row["carbon_report_id"] for row in found(sandbox, "carbon_stats_differences")}

    everywhere = differing("admin")
    assert {rows["calculator"], rows["next year"], rows["plan there"], rows["explore nameless"]} <= everywhere
    assert differing("principal here") == {rows["calculator"], rows["next year"], rows["explore"]}
    assert differing("no roles") == set()
    with acting(sandbox, CALLERS["both"]):
        found_there = found(sandbox, "carbon_stats_differences", unit_id=rows["there"])
        assert {row["carbon_report_id"] for row in found_there} == {rows["explore there"], rows["plan there"]}
        refused = refusal(sandbox, "select * from carbon_stats_differences(unit_id => %s)", rows["nameless"])
        assert refused.code == "RC002"


# --- duplicates ------------------------------------------------------------------------------


@pytest.mark.usefixtures("rows")
def test_constraints_that_hold_make_duplicates_impossible(sandbox: Connection) -> None:
    with acting(sandbox, CALLERS["no roles"]):
        assert found(sandbox, "carbon_duplicates") == [
            {
                "table_name": "carbon_projects",
                "constraint_name": "uq_carbon_projects_unit_type",
                "is_enforced": True,
                "duplicates": [],
            },
            {
                "table_name": "carbon_reports",
                "constraint_name": "uq_carbon_reports_project_year",
                "is_enforced": True,
                "duplicates": [],
            },
        ]


ANOTHER = {
    # Gone, of another kind, and on other columns.
    "gone": "",
    "check": "alter table public.carbon_projects add constraint uq_carbon_projects_unit_type check (unit_id > 0)",
    "other": "alter table public.carbon_projects add constraint uq_carbon_projects_unit_type unique (id, unit_id)",
}


@pytest.mark.parametrize("instead", ANOTHER)
def test_a_constraint_that_is_missing_is_told_and_what_exists_twice(
    sandbox: Connection, rows: dict[str, int], instead: str
) -> None:
    sandbox.execute("alter table public.carbon_projects drop constraint uq_carbon_projects_unit_type")
    if ANOTHER[instead]:
        sandbox.execute(ANOTHER[instead].encode())
    project = one(
        sandbox,
        "insert into public.carbon_projects (unit_id, carbon_report_type) values (%s, 'Calculator') returning id",
        rows["here"],
    )["id"]
    report = one(
        sandbox,
        "insert into public.carbon_reports (unit_id, carbon_project_id, year) values (%s, %s, 2025) returning id",
        rows["here"],
        project,
    )["id"]
    projects, reports = found(sandbox, "carbon_duplicates")
    first = one(sandbox, "select min(id) as id from public.carbon_projects where unit_id = %s", rows["here"])["id"]
    calculator = {"unit_id": rows["here"], "carbon_report_type": "Calculator"}
    assert (projects["is_enforced"], reports["is_enforced"]) == (False, True)
    assert projects["duplicates"] == [{**calculator, "ids": [first, project]}]
    assert reports["duplicates"] == [{**calculator, "year": 2025, "ids": [rows["calculator"], report]}]
    # Nobody sees those of a unit that is not the caller's.
    with acting(sandbox, CALLERS["standard there"]):
        assert [row["duplicates"] for row in found(sandbox, "carbon_duplicates")] == [[], []]


@pytest.mark.usefixtures("rows")
def test_the_same_rows_exist_twice_as_for_the_migration(sandbox: Connection) -> None:
    for table, constraint in (
        ("carbon_projects", "uq_carbon_projects_unit_type"),
        ("carbon_reports", "uq_carbon_reports_project_year"),
    ):
        sandbox.execute(f"alter table public.{table} drop constraint {constraint}".encode())
    for _ in range(2):
        sandbox.execute(
            "insert into public.carbon_projects (unit_id, carbon_report_type) "
            "select unit_id, carbon_report_type from public.carbon_projects "
            "where carbon_report_type <> 'Simulator_Plan'"
        )
    sandbox.execute(
        "insert into public.carbon_reports (unit_id, carbon_project_id, year) "
        "select unit_id, id, 2025 from public.carbon_projects"
    )
    cursor = sandbox.cursor()
    cursor.execute(files.sql_text("carbon/find_duplicates").encode())
    while cursor.nextset():
        pass
    listed = [(row["table_name"], row["ids"]) for row in cursor.fetchall()]
    told = [(row["table_name"], key["ids"]) for row in found(sandbox, "carbon_duplicates") for key in row["duplicates"]]
    assert len(listed) >= 8
    assert sorted(told) == sorted(listed)
    assert len(found(sandbox, "carbon_duplicates", max_rows=1)[0]["duplicates"]) == 1


# --- what it costs ---------------------------------------------------------------------------

UNITS = 10_000


@pytest.fixture
def many(sandbox: Connection) -> Connection:
    """10,000 units, each with a Calculator report of three years and an explore report."""
    sandbox.execute(
        "insert into public.units (institutional_id, name) select 'U' || number, 'Laboratory ' || number "
        "from generate_series(1, %s) as number",
        (UNITS,),
    )
    sandbox.execute(
        "insert into public.carbon_projects (unit_id, carbon_report_type) "
        "select unit.id, type.name::public.carbon_report_type_enum "
        "from public.units as unit cross join (values ('Calculator'), ('Simulator_Explore')) as type(name)"
    )
    sandbox.execute(
        "insert into public.carbon_reports (unit_id, carbon_project_id, year, last_updated, stats) "
        "select project.unit_id, project.id, year, 0, 'null' from public.carbon_projects as project "
        "cross join generate_series(2023, 2025) as year "
        "where project.carbon_report_type = 'Calculator' or year = 2025"
    )
    sandbox.execute("analyze public.units, public.carbon_projects, public.carbon_reports")
    return sandbox


def cost(connection: Connection, statement: str) -> dict[str, int]:
    """How many rows a statement reads of each table, and how often it asks for access."""
    counted = (
        "select relname::text as name, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) as much "
        "from pg_stat_xact_user_tables where schemaname = 'public' "
        "union all select funcname::text, calls from pg_stat_xact_user_functions"
    )

    def now() -> dict[str, int]:
        return {row["name"]: row["much"] for row in connection.execute(counted).fetchall()}

    before = now()
    assert len(connection.execute(statement.encode()).fetchall()) == 100
    return {name: much - before.get(name, 0) for name, much in now().items()}


@pytest.mark.parametrize("caller", [claims(role(ADMIN, "global"), scope=READ), "a hundred units"])
def test_a_page_of_10000_units_costs_one_look_at_the_callers_roles(many: Connection, caller: Any) -> None:
    if isinstance(caller, str):
        caller = claims(*(role(PRINCIPAL, "unit", f"U{number}") for number in range(1, 101)), scope=READ)
    many.execute("set local track_functions = 'all'")
    many.execute("select set_config('request.jwt.claims', %s, true)", (json.dumps(caller),))
    for statement in ("find_carbon_units()", "find_explore_reports()", "find_carbon_reports(year => 2024)"):
        read = cost(many, f"select * from {statement}")  # noqa: S608
        assert read.get("carbon_access", 0) == 0, statement
        assert read["carbon_caller_rights"] == 1, statement
        # Some versions of PostgreSQL find a hundred units by their key, others walk along it; none does it twice.
        assert read["units"] <= UNITS + 300, (statement, read)
        # No table of reports is read more than twice over, whatever indexes the application has.
        assert read["carbon_reports"] <= 2 * 4 * UNITS, (statement, read)
        assert read["carbon_projects"] <= 2 * 2 * UNITS, (statement, read)


def test_totals_are_computed_for_the_page_only(many: Connection) -> None:
    many.execute("set local track_functions = 'all'")
    assert cost(many, "select * from find_carbon_reports()")["carbon_totals"] == 100
