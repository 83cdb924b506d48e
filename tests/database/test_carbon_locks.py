"""The calculator and pgreprise write the same rows: they wait for each other, and never in a circle."""

from __future__ import annotations

import re

import pytest

from tests.support.carbon import NOW, add_entry, add_report, add_unit, module_id, refusal, snapshot
from tests.support.concurrency import waiting_for_a_lock
from tests.support.databases import Connect, Connection
from tests.support.statements import one

UNIT = 1
PERSON = '{"fte": 2}'
# What the calculator does when somebody changes an entry, in its order.
STEPS = {
    "entry": "update public.data_entries set data = '{\"fte\": 3}' where id = {entry}",
    "emissions": "delete from public.data_entry_emissions where data_entry_id = {entry}; insert into "
    "public.data_entry_emissions (data_entry_id, emission_type_id, kg_co2eq) "
    "select id, 10001, 9 from public.data_entries where id = {entry}",
    "module": "update public.carbon_report_modules set stats = '{\"total\": 9}' where id = {module}",
    "report": "update public.carbon_reports set stats = '{\"total\": 9}' where id = {report}",
}
PATH = "1, 2025, 'headcount', 'student'"
OURS = {
    "create": f"select create_data_entry({PATH}, '{PERSON}', carbon_project_type => 1, as_of => '{NOW}')",
    "update": f"select update_data_entry({PATH}, {{entry}}, '{PERSON}', '[]', carbon_project_type => 1)",
    "delete": f"select delete_data_entry({PATH}, {{entry}}, carbon_project_type => 1)",
    "status": "select set_carbon_module_status({report}, 1, 2)",
    "refresh": "select refresh_explore_report(1, {report}, 2025)",
    "convert": "select convert_explore_report({report})",
}
# What each of ours waits for.
WAITS = [
    ("create", "module"),
    ("create", "report"),
    *(("update", step) for step in STEPS),
    *(("delete", step) for step in STEPS),
    ("status", "module"),
    ("status", "report"),
    *(("refresh", step) for step in STEPS),
    ("convert", "report"),
]


@pytest.fixture
def rows(dba: Connection) -> dict[str, int]:
    """A stale explore report with an entry, its id and those of the module and the entry."""
    report = add_report(dba, add_unit(dba), 2025, "Simulator_Explore", last_updated=None)
    return {
        "report": report,
        "module": module_id(dba, report, 1),
        "entry": add_entry(dba, report, 1, 5, fte=1, data_entry_type_id=2),
    }


def written(text: str, rows: dict[str, int]) -> bytes:
    for name, value in rows.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text.encode()


@pytest.mark.parametrize(("ours", "held"), WAITS)
def test_a_write_that_waits_for_the_calculator_holds_nothing_that_that_one_needs(
    dba: Connection, connect: Connect, rows: dict[str, int], ours: str, held: str
) -> None:
    calculator = connect(autocommit=False)
    calculator.execute("set lock_timeout = '10s'")
    steps = list(STEPS)
    calculator.execute(written(STEPS[held], rows))
    with waiting_for_a_lock(dba, connect(), written(OURS[ours], rows).decode()):
        for step in steps[steps.index(held) + 1 :]:
            calculator.execute(written(STEPS[step], rows))
        calculator.commit()


TABLES = {
    "entry": "data_entries",
    "emissions": "data_entry_emissions",
    "module": "carbon_report_modules",
    "report": "carbon_reports",
}


@pytest.mark.parametrize(("ours", "held"), WAITS)
def test_a_write_that_waits_too_long_names_the_row_and_who_holds_it(
    dba: Connection, connect: Connect, rows: dict[str, int], ours: str, held: str
) -> None:
    emission = one(dba, "select id from public.data_entry_emissions")["id"]
    calculator = connect(autocommit=False)
    calculator.execute(written(STEPS[held], rows))
    dba.execute("set lock_timeout = '20ms'")
    said = refusal(dba, written(OURS[ours], rows).decode())
    process, row = calculator.info.backend_pid, emission if held == "emissions" else rows[held]
    assert (said.code, said.message) == (
        "55P03",
        f"Row {row} of {TABLES[held]} is locked by process {process} of role postgres. Nothing was changed.",
    )
    assert said.detail == {"table": TABLES[held], "id": row, "processes": [process]}
    assert said.hint is not None
    assert said.hint.endswith(f"where pid in ({process});")


def test_the_age_of_the_transaction_is_told_where_the_owner_may_see_it(
    dba: Connection, connect: Connect, rows: dict[str, int]
) -> None:
    calculator = connect(autocommit=False)
    calculator.execute(written(STEPS["report"], rows))
    with dba.transaction(force_rollback=True):
        dba.execute("grant pg_read_all_stats to pgreprise_owner; set lock_timeout = '20ms'")
        said = refusal(dba, written(OURS["status"], rows).decode())
    assert re.search(r"of role postgres, whose transaction has lasted for \d+ s\. Nothing", said.message or "")


def test_a_deletion_names_those_whose_rows_refer_to_the_entry(
    dba: Connection, connect: Connect, rows: dict[str, int]
) -> None:
    dba.execute("create table public.notes (id bigint references public.data_entries (id))")
    holders = [connect(autocommit=False), connect(autocommit=False)]
    for holder in holders:
        holder.execute("insert into public.notes values (%s)", (rows["entry"],))
    dba.execute("set lock_timeout = '20ms'")
    said = refusal(dba, written(OURS["delete"], rows).decode())
    assert said.detail == {
        "table": "data_entries",
        "id": rows["entry"],
        "processes": sorted(holder.info.backend_pid for holder in holders),
    }


def test_a_write_that_waits_for_another_one_of_ours_names_it(
    dba: Connection, connect: Connect, rows: dict[str, int]
) -> None:
    other = connect(autocommit=False)
    other.execute(written(OURS["create"], rows))
    dba.execute("set lock_timeout = '20ms'")
    said = refusal(dba, written(OURS["update"], rows).decode())
    assert said.detail == {"table": TABLES["module"], "id": rows["module"], "processes": [other.info.backend_pid]}


@pytest.mark.parametrize("ours", OURS)
def test_the_calculator_goes_on_after_a_write_of_ours(
    dba: Connection, connect: Connect, rows: dict[str, int], ours: str
) -> None:
    dba.execute("begin")
    dba.execute(written(OURS[ours], rows))
    with waiting_for_a_lock(connect(), connect(), written("; ".join(STEPS.values()), rows).decode()):
        dba.execute("commit")


@pytest.mark.parametrize("referred", ["entry", "module", "report"])
@pytest.mark.parametrize("ours", ["create", "update", "status"])
def test_rows_of_the_calculator_that_refer_to_ours_and_a_write_do_not_wait_for_each_other(
    dba: Connection, connect: Connect, rows: dict[str, int], ours: str, referred: str
) -> None:
    dba.execute(f"create table public.notes (id bigint references public.{TABLES[referred]} (id))".encode())
    add = written(f"insert into public.notes values ({{{referred}}})", rows)  # noqa: S608
    calculator, caller = connect(autocommit=False), connect(autocommit=False)
    for connection in (calculator, caller):
        connection.execute("set lock_timeout = '20ms'")
        connection.commit()

    calculator.execute(add)
    caller.execute(written(OURS[ours], rows))
    calculator.commit()
    calculator.execute(add)
    calculator.commit()
    caller.commit()
    assert one(dba, "select count(*) as added from public.notes")["added"] == 2


def test_a_refresh_leaves_a_report_into_which_somebody_puts_an_entry_meanwhile(
    dba: Connection, connect: Connect, rows: dict[str, int]
) -> None:
    calculator = connect(autocommit=False)
    calculator.execute(written(STEPS["module"], rows))
    calculator.execute(
        "insert into public.data_entries (carbon_report_module_id, data_entry_type_id, data) values (%s, 2, '{}')",
        (rows["module"],),
    )
    with waiting_for_a_lock(dba, connect(), written(OURS["refresh"], rows).decode()) as refreshing:
        calculator.commit()
    assert refreshing.result().fetchall() == []
    assert [row["id"] for row in dba.execute("select id from public.carbon_reports").fetchall()] == [rows["report"]]
    assert len(snapshot(dba)["data_entries"]) == 2


def test_a_refresh_locks_nothing_of_a_report_that_is_not_the_one_that_it_is_asked_for(
    dba: Connection, connect: Connect, rows: dict[str, int]
) -> None:
    other = add_unit(dba, "0207")
    calculator, caller = connect(autocommit=False), connect()
    caller.execute("set lock_timeout = '20ms'")
    for step in STEPS.values():
        calculator.execute(written(step, rows))
    for unit, year in ((other, 2025), (UNIT, 2024)):
        refreshed = caller.execute("select refresh_explore_report(%s, %s, %s)", (unit, rows["report"], year))
        assert refreshed.fetchall() == []
    calculator.rollback()


@pytest.mark.parametrize(
    ("table", "call"),
    [
        ("carbon_projects", "select create_carbon_project({unit}, 2)"),
        ("carbon_projects", "select create_explore_report({unit}, 2031)"),
        ("carbon_reports", "select create_carbon_report({unit}, 2031)"),
        ("carbon_reports", 'select bulk_upsert_carbon_reports(\'[{{"unit_id": {unit}, "year": 2031}}]\')'),
    ],
)
def test_a_call_that_waits_for_one_that_creates_the_same_names_who_does(
    dba: Connection, connect: Connect, table: str, call: str
) -> None:
    unit = add_unit(dba)
    if table == "carbon_reports":
        add_report(dba, unit)
    call = call.format(unit=unit)
    holder = connect(autocommit=False)
    holder.execute(call.encode())
    dba.execute("set lock_timeout = '20ms'")
    said = refusal(dba, call)
    process = holder.info.backend_pid
    assert (said.code, said.message) == (
        "55P03",
        f"Rows of {table} were locked by process {process} of role postgres. Nothing was changed.",
    )


def test_who_holds_a_module_by_a_write_of_ours_is_told_from_others_at_its_table(
    dba: Connection, connect: Connect
) -> None:
    report = add_report(dba, add_unit(dba))
    other, holder = connect(autocommit=False), connect(autocommit=False)
    other.execute("select from public.carbon_report_modules where module_type_id = 2 for update")
    call = "select create_data_entry(1, 2025, 'headcount', 'student', '{\"fte\": 2}')"
    holder.execute(call.encode())
    dba.execute("set lock_timeout = '20ms'")
    process, module = holder.info.backend_pid, module_id(dba, report, 1)
    assert refusal(dba, call).message == (
        f"Row {module} of carbon_report_modules is locked by process {process} of role postgres. Nothing was changed."
    )
