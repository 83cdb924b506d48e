"""Many callers want the same carbon report at once: one is created, one is refreshed, and nobody waits for ever."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel

from tests.support.carbon import DAY, NOW, NOW_EPOCH, add_entry, add_report, add_unit, refusal, snapshot
from tests.support.concurrency import LEVELS, at_once, connections, waiting_for_a_lock
from tests.support.databases import Connect, Connection
from tests.support.statements import one

CALLERS = 16


@pytest.fixture
def unit(dba: Connection) -> int:
    """A unit."""
    return add_unit(dba)


def attempt(connection: Connection, statement: str, *arguments: Any) -> str | dict[str, Any]:
    """The row that a call returns, or the code of its refusal; tried again while another transaction is in the way."""
    while True:
        try:
            with connection.transaction():
                # The snapshot of a stricter transaction is older than what another one creates.
                connection.execute("select count(*) from public.carbon_reports")
                return one(connection, statement, *arguments)
        except psycopg.errors.SerializationFailure:
            continue
        except psycopg.Error as error:
            return str(error.sqlstate)


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
@pytest.mark.parametrize(
    "statement",
    [
        "select id, carbon_project_id from create_explore_report(%s, %s)",
        "select id, carbon_project_id from create_carbon_report(%s, %s)",
    ],
    ids=["explore", "Calculator"],
)
def test_of_many_callers_that_create_one_report_one_does_and_the_others_are_told_that_it_exists(
    dba: Connection, connect: Connect, unit: int, level: IsolationLevel, statement: str
) -> None:
    callers = connections(connect, CALLERS, level)
    projects = set()
    for year in range(2020, 2025):
        said = at_once(CALLERS, lambda number, year=year: attempt(callers[number], statement, unit, year))
        [created] = [answer for answer in said if isinstance(answer, dict)]
        projects.add(created["carbon_project_id"])
        assert sorted(answer for answer in said if isinstance(answer, str)) == ["RC004"] * (CALLERS - 1)
    assert len(projects) == len(snapshot(dba)["carbon_projects"]) == 1
    assert len(snapshot(dba)["carbon_report_modules"]) == 5 * 8


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_of_many_callers_that_create_one_project_one_does(
    dba: Connection, connect: Connect, unit: int, level: IsolationLevel
) -> None:
    callers = connections(connect, CALLERS, level)
    said = at_once(CALLERS, lambda number: attempt(callers[number], "select id from create_carbon_project(%s)", unit))
    assert [answer for answer in said if isinstance(answer, str)] == ["RC004"] * (CALLERS - 1)
    assert len(snapshot(dba)["carbon_projects"]) == 1


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_of_many_callers_that_refresh_one_report_one_does(
    dba: Connection, connect: Connect, unit: int, level: IsolationLevel
) -> None:
    report = add_report(dba, unit, 2025, "Simulator_Explore", last_updated=NOW_EPOCH - DAY - 1)
    add_entry(dba, report, 2, 5)
    callers = connections(connect, CALLERS, level)
    said = at_once(
        CALLERS,
        lambda number: attempt(
            callers[number],
            "select count(*)::int as fresh from refresh_explore_report(%s, %s, 2025, %s)",
            unit,
            report,
            NOW,
        ),
    )
    assert sorted(answer["fresh"] for answer in said if isinstance(answer, dict)) == [0] * (CALLERS - 1) + [1]
    assert len(snapshot(dba)["carbon_reports"]) == 1
    assert len(snapshot(dba)["carbon_report_modules"]) == 8
    assert snapshot(dba)["data_entries"] == []


REFRESH = "select * from refresh_explore_report(%s, %s, 2025, %s)"
CREATE_ENTRY = (
    "select * from create_data_entry(%s, 2025, 'headcount', 'student', '{\"fte\": 1}', carbon_project_type => 1, "
    "as_of => %s)"
)


@pytest.fixture
def stale(dba: Connection, unit: int) -> int:
    """A stale explore report."""
    return add_report(dba, unit, 2025, "Simulator_Explore", last_updated=None)


def test_a_refresh_that_waited_for_a_write_leaves_the_report_that_is_in_use(
    dba: Connection, connect: Connect, unit: int, stale: int
) -> None:
    dba.execute("begin")
    dba.execute(CREATE_ENTRY, (unit, NOW))
    with waiting_for_a_lock(connect(), connect(), REFRESH, unit, stale, NOW) as refreshing:
        dba.execute("commit")
    assert refreshing.result().fetchall() == []
    assert one(dba, "select id from public.carbon_reports")["id"] == stale
    assert len(snapshot(dba)["data_entries"]) == 1


def test_a_write_that_waited_for_a_refresh_goes_into_the_fresh_report(
    dba: Connection, connect: Connect, unit: int, stale: int
) -> None:
    dba.execute("begin")
    fresh = one(dba, REFRESH, unit, stale, NOW)["id"]
    with waiting_for_a_lock(connect(), connect(), CREATE_ENTRY, unit, NOW) as writing:
        dba.execute("commit")
    [entry] = writing.result().fetchall()
    module = one(
        dba, "select carbon_report_id from public.carbon_report_modules where id = %s", entry["carbon_report_module_id"]
    )
    assert module["carbon_report_id"] == fresh


def test_creating_a_report_that_is_being_refreshed_is_refused(
    dba: Connection, connect: Connect, unit: int, stale: int
) -> None:
    dba.execute("begin")
    dba.execute(REFRESH, (unit, stale, NOW))
    caller = connect()
    with (
        pytest.raises(psycopg.Error) as caught,
        waiting_for_a_lock(connect(), caller, "select create_explore_report(%s, 2025)", unit),
    ):
        dba.execute("commit")
    assert caught.value.sqlstate == "RC004"


def test_a_creation_that_is_rolled_back_lets_the_caller_that_waited_create(
    dba: Connection, connect: Connect, unit: int
) -> None:
    dba.execute("begin")
    dba.execute("select create_explore_report(%s, 2025)", (unit,))
    statement = "select create_explore_report(%s, 2025)"
    with waiting_for_a_lock(connect(), connect(), statement, unit) as waiting:
        dba.execute("rollback")
    assert waiting.result().rowcount == 1
    assert refusal(dba, statement, unit).code == "RC004"


@pytest.mark.usefixtures("stale")
def test_writers_and_refreshers_of_one_report_leave_it_whole(dba: Connection, connect: Connect, unit: int) -> None:
    callers = connections(connect, 8)
    report = "(select max(id) from public.carbon_reports)"

    def work(number: int) -> None:
        for round_ in range(20):
            moment = f"2026-05-{1 + round_:02} 12:00:00+00"
            if number % 2:
                callers[number].execute(
                    f"select refresh_explore_report(%s, {report}, 2025, '2027-01-01')",
                    (unit,),
                )
            else:
                attempt(callers[number], CREATE_ENTRY, unit, moment)

    at_once(8, work)
    assert len(snapshot(dba)["carbon_reports"]) == 1
    assert len(snapshot(dba)["carbon_report_modules"]) == 8
    entries = len(snapshot(dba)["data_entries"])
    counted = one(
        dba,
        "select (stats ->> 'entry_count')::int as entries from public.carbon_report_modules where module_type_id = 1",
    )
    assert (counted["entries"] or 0) == entries


def test_concurrent_bulks_of_the_same_units_in_opposite_order_create_each_report_once(
    dba: Connection, connect: Connect
) -> None:
    units = [add_unit(dba, str(number)) for number in range(40)]
    callers = connections(connect, 8)
    wanted = [{"unit_id": unit, "year": year} for unit in units for year in (2024, 2025)]

    def work(number: int) -> int:
        reports = wanted if number % 2 else wanted[::-1]
        return len(callers[number].execute("select bulk_upsert_carbon_reports(%s)", (json.dumps(reports),)).fetchall())

    assert sum(at_once(8, work)) == len(wanted)
    assert len(snapshot(dba)["carbon_projects"]) == len(units)
    assert len(snapshot(dba)["carbon_report_modules"]) == 8 * len(wanted)


# --- how long a call waits -------------------------------------------------------------------

WRITERS = [
    "select create_carbon_project({unit}, 2)",
    "select create_carbon_report({unit}, 2030)",
    "select create_explore_report({unit}, 2030)",
    "select refresh_explore_report({unit}, {report}, 2025)",
    'select bulk_upsert_carbon_reports(\'[{{"unit_id": {unit}, "year": 2031}}]\')',
    "select set_carbon_module_status({report}, 1, 2)",
    "select create_data_entry({unit}, 2025, 'headcount', 'student', '{{\"fte\": 1}}', carbon_project_type => 1)",
    "select update_data_entry({unit}, 2025, 'purchase', 'scientific_equipment', {entry}, '{{\"note\": \"n\"}}', "
    "carbon_project_type => 1)",
    "select delete_data_entry({unit}, 2025, 'purchase', 'scientific_equipment', {entry}, carbon_project_type => 1)",
]


@pytest.mark.parametrize("call", WRITERS, ids=lambda call: call.split("(")[0].split()[-1])
def test_a_writer_waits_five_seconds_at_most_or_as_the_caller_says(
    dba: Connection, unit: int, stale: int, call: str
) -> None:
    entry = add_entry(dba, stale, 5, 1)
    statement = call.format(unit=unit, report=stale, entry=entry)
    for chosen, expected in ((None, "5s"), ("123ms", "123ms"), ("1min", "1min")):
        with dba.transaction(force_rollback=True):
            if chosen:
                dba.execute(f"set local lock_timeout = '{chosen}'")
            dba.execute(statement.encode())
            assert one(dba, "show lock_timeout")["lock_timeout"] == expected


@pytest.mark.parametrize("call", WRITERS[3:4] + WRITERS[5:], ids=lambda call: call.split("(")[0].split()[-1])
def test_a_writer_that_waits_too_long_fails_and_has_changed_nothing(
    dba: Connection, connect: Connect, unit: int, stale: int, call: str
) -> None:
    entry = add_entry(dba, stale, 5, 1)
    before = snapshot(dba)
    caller = connect()
    caller.execute("set lock_timeout = '20ms'")
    with dba.transaction(force_rollback=True):
        dba.execute("select from public.carbon_reports for update")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            caller.execute(call.format(unit=unit, report=stale, entry=entry).encode())
    assert snapshot(dba) == before


def test_a_change_of_an_entry_that_waited_for_the_calculator_merges_into_what_that_one_left(
    dba: Connection, connect: Connect, unit: int
) -> None:
    report = add_report(dba, unit, 2024)
    entry = add_entry(dba, report, 5)
    calculator = connect(autocommit=False)
    calculator.execute('update public.data_entries set data = \'{"name": "theirs"}\' where id = %s', (entry,))
    change = "select data from update_data_entry(%s, 2024, 'purchase', 'scientific_equipment', %s, '{\"note\": \"n\"}')"

    def work(number: int) -> dict[str, str]:
        if number == 0:
            while not one(dba, "select exists (select from pg_locks where not granted) as waits")["waits"]:
                pass
            calculator.commit()
            return {}
        found: dict[str, str] = one(connect(), change, unit, entry)["data"]
        return found

    [changed] = [found for found in at_once(2, work) if found]
    assert (changed["name"], changed["note"]) == ("theirs", "n")
