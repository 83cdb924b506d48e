"""The application and pgreprise hold rows of one another: who waits, who does not, and what is said about it."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from tests.support.concurrency import waiting_for_a_lock
from tests.support.databases import Connect, Connection
from tests.support.factories import add_economy_report, add_reform_impact, set_versions
from tests.support.refusals import refusal
from tests.support.statements import one

CHILDREN = (
    "create table public.mark (report_id bigint references public.report_outputs (id), "
    "simulation_id bigint references public.simulations (id))"
)
ADD_CHILD = "insert into public.mark values (1, 1)"

# What changes report 1 or simulation 1, after rerun 2 of it and with batch 1 of it open.
CALLS = {
    "rerun": "call rerun_report(1)",
    "rerun many": "call rerun_reports(array[1])",
    "undo": "call undo_rerun(2, force => true)",
    "reset report": "select reset_report(1)",
    "reset simulation": "select reset_simulation(1)",
    "update report": "select update_report(1, status => 'running')",
    "update simulation": "select update_simulation(1, status => 'running')",
    "batch": "select rerun_batch_chunk(2)",
    "undo batch": "select undo_batch_chunk(1, force => true)",
    "purge": "select purge_chunk(interval '0', 0)",
}
# What a call is refused with that another one holds up.
SINGLE = [name for name in CALLS if name not in {"batch", "undo batch", "purge"}]


@pytest.fixture
def rows(dba: Connection) -> Connection:
    """Reports 1 to 3, each with simulations and a cache row of its own; 1 was rerun, by batch 1; batch 2 lists all."""
    set_versions(dba)
    for number in range(3):
        simulations = {"policy_id": 10 * number + 2}, {"policy_id": 10 * number + 3}
        report, first, second = add_economy_report(dba)
        for simulation, values in zip((first, second), simulations, strict=True):
            dba.execute("update simulations set policy_id = %s where id = %s", (values["policy_id"], simulation))
        add_reform_impact(dba, baseline_policy_id=10 * number + 2, reform_policy_id=10 * number + 3)
        assert report == number + 1
    dba.execute("select create_rerun_batch('{\"ids\": [1]}')")
    dba.execute("select rerun_batch_chunk(1)")
    add_reform_impact(dba)
    dba.execute("select create_rerun_batch('{\"ids\": [1, 2, 3]}')")
    dba.execute(CHILDREN)
    return dba


# --- who does not wait -----------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
def test_a_row_that_refers_to_a_report_and_a_call_about_it_do_not_wait_for_each_other(
    rows: Connection, connect: Connect, name: str
) -> None:
    host, caller = connect(autocommit=False), connect(autocommit=False)
    for connection in (host, caller):
        connection.execute("set lock_timeout = '50ms'")
        connection.commit()
    host.execute(ADD_CHILD)
    before = one(rows, "select sum(run_sequence) as runs from report_outputs")
    assert "55P03" not in json.dumps(caller.execute(CALLS[name].encode()).fetchall(), default=str)
    host.execute(ADD_CHILD)
    host.rollback()
    host.execute(ADD_CHILD)
    host.commit()
    caller.commit()
    if name in {"rerun", "undo", "batch", "undo batch"}:
        assert one(rows, "select sum(run_sequence) as runs from report_outputs") != before


# --- what is said of a wait ------------------------------------------------------------------

HELD = {
    "report_outputs": "select from public.report_outputs where id = 1 for update",
    "simulations": "select from public.simulations where id = 1 for update",
    "reform_impact": "select from public.reform_impact for update",
}
WAITS = [
    *((name, "report_outputs") for name in SINGLE if "simulation" not in name),
    *((name, "simulations") for name in ("rerun", "rerun many", "undo", "reset simulation", "update simulation")),
    *((name, "reform_impact") for name in ("rerun", "rerun many")),
]


@pytest.mark.parametrize(("name", "table"), WAITS)
def test_a_call_that_waits_too_long_names_the_row_and_who_holds_it(
    rows: Connection, connect: Connect, name: str, table: str
) -> None:
    holder = connect(autocommit=False)
    holder.execute(HELD[table].encode())
    rows.execute("set lock_timeout = '20ms'")
    said = refusal(rows, CALLS[name])
    key = "reform_impact_id" if table == "reform_impact" else "id"
    process = holder.info.backend_pid
    assert said.detail is not None
    row = said.detail[key]
    assert said.detail == {"table": table, key: row, "processes": [process]}
    assert (said.code, said.message) == (
        "55P03",
        f"Row {row} of {table} is locked by process {process} of role postgres. Nothing was changed.",
    )
    assert row == (4 if table == "reform_impact" else 1)


@pytest.mark.parametrize(
    ("table", "call"),
    [
        ("report_outputs", "select get_or_create_report('us', 1, year => '2031')"),
        ("simulations", "select get_or_create_simulation('us', 'state/ny', 'geography', 999)"),
    ],
)
def test_a_call_that_waits_for_one_that_creates_the_same_names_who_does(
    rows: Connection, connect: Connect, table: str, call: str
) -> None:
    holder = connect(autocommit=False)
    holder.execute(call.encode())
    rows.execute("set lock_timeout = '20ms'")
    said = refusal(rows, call)
    process = holder.info.backend_pid
    assert (said.code, said.detail) == ("55P03", {"table": table, "id": None, "processes": [process]})
    assert said.message == f"Rows of {table} were locked by process {process} of role postgres. Nothing was changed."
    holder.commit()
    rows.execute(call.encode())


def test_a_call_that_waits_for_a_whole_table_names_it(rows: Connection, connect: Connect) -> None:  # noqa: ARG001
    holder = connect(autocommit=False)
    holder.execute("lock table public.simulations in exclusive mode")
    caller = connect()
    caller.execute("set lock_timeout = '20ms'")
    said = refusal(caller, CALLS["rerun"])
    process = holder.info.backend_pid
    assert said.message == f"Table simulations is locked by process {process} of role postgres. Nothing was changed."


@pytest.mark.parametrize("name", ["update report", "update simulation"])
def test_a_worker_that_waited_writes_what_it_then_finds(rows: Connection, connect: Connect, name: str) -> None:
    table = "report_outputs" if "report" in name else "simulations"
    holder = connect(autocommit=False)
    holder.execute(f"update public.{table} set error_message = 'of somebody else' where id = 1".encode())  # noqa: S608
    with waiting_for_a_lock(rows, connect(), CALLS[name]) as call:
        holder.commit()
    [row] = call.result().fetchall()
    assert "running" in str(row)
    stored = one(rows, f"select status, error_message from public.{table} where id = 1")  # noqa: S608
    assert stored == {"status": "running", "error_message": "of somebody else"}


# --- a locked row and a batch ----------------------------------------------------------------

ROWS_OF_REPORT_2 = {
    "report_outputs": "select from public.report_outputs where id = 2 for update",
    "simulations": "select from public.simulations where id = 4 for update",
    "reform_impact": "select from public.reform_impact where baseline_policy_id = 12 for update",
}


def run(connection: Connection, chunk_size: int) -> dict[str, Any]:
    result: dict[str, Any] = one(connection, "call run_rerun_batch(2, %s)", chunk_size)["result"]
    return result


@pytest.mark.parametrize("chunk_size", [1, 2, 1000])
@pytest.mark.parametrize("table", ROWS_OF_REPORT_2)
def test_a_batch_leaves_the_report_whose_row_is_locked_and_does_all_others(
    rows: Connection, connect: Connect, table: str, chunk_size: int
) -> None:
    holder = connect(autocommit=False)
    holder.execute(ROWS_OF_REPORT_2[table].encode())
    rows.execute("set lock_timeout = '20ms'")
    done = run(rows, chunk_size)
    assert (done["reports"], done["rerun"], done["remaining"]) == (2, 2, 1)
    [left] = rows.execute("select * from rerun_batch_refusals(2, are_left => true)").fetchall()
    row = {"report_outputs": 2, "simulations": 4, "reform_impact": 2}[table]
    process = holder.info.backend_pid
    assert left == {
        "report_id": 2,
        "errcode": "55P03",
        "message": f"Row {row} of {table} is locked by process {process} of role postgres. Nothing was changed.",
    }
    assert rows.execute("select * from rerun_batch_refusals(2)").fetchall() == []
    batch = one(rows, "select remaining, finished_at is null as is_open from rerun_batches(2)")
    assert batch == {"remaining": 1, "is_open": True}

    holder.rollback()
    assert run(rows, chunk_size)["rerun"] == 1
    assert rows.execute("select * from rerun_batch_refusals(2, are_left => true)").fetchall() == []
    batch = one(rows, "select remaining, rerun, finished_at is null as is_open from rerun_batches(2)")
    assert batch == {"remaining": 0, "rerun": 3, "is_open": False}
    acts = rows.execute("select report_id from pgreprise.rerun where batch_id = 2 order by report_id").fetchall()
    assert [act["report_id"] for act in acts] == [1, 2, 3]


def test_the_undo_of_a_batch_leaves_what_is_locked_and_goes_on_with_it_later(
    rows: Connection, connect: Connect
) -> None:
    run(rows, 10)
    holder = connect(autocommit=False)
    holder.execute(ROWS_OF_REPORT_2["simulations"].encode())
    rows.execute("set lock_timeout = '20ms'")
    did = one(rows, "select undo_batch_chunk(2) as did")["did"]
    assert (did["reruns"], did["undone"], did["refused"]) == (3, 2, [])
    [left] = did["left"]
    act = one(rows, "select rerun_id from pgreprise.rerun where report_id = 2")["rerun_id"]
    process = holder.info.backend_pid
    assert left == {
        "rerun_id": act,
        "report_id": 2,
        "errcode": "55P03",
        "message": f"Row 4 of simulations is locked by process {process} of role postgres. Nothing was changed.",
    }
    counted = one(rows, "call undo_rerun_batch(2)")["result"]
    assert counted == {"batch_id": 2, "reruns": 1, "undone": 0, "refused": 0, "left": 1}
    holder.rollback()
    counted = one(rows, "call undo_rerun_batch(2)")["result"]
    assert counted == {"batch_id": 2, "reruns": 1, "undone": 1, "refused": 0, "left": 0}


# --- sequences that are behind ---------------------------------------------------------------

INSERTS = {
    "report_outputs": "select get_or_create_report('us', 1, year => '2031')",
    "simulations": "select get_or_create_simulation('us', 'state/ny', 'geography', 77)",
    "rerun": "call rerun_report(1)",
    "rerun by undo": "call undo_rerun(2, force => true)",
    "rerun by reset": "select reset_report(1)",
    "rerun by reset of a simulation": "select reset_simulation(1)",
    "rerun by deletion": "select delete_reform_impacts('us', 2, 3, 'state/ny', 'default', '2025')",
    "rerun by many": "call rerun_reports(array[1])",
    "rerun by a batch": "select rerun_batch_chunk(2)",
    "rerun by the undo of a batch": "select undo_batch_chunk(1, force => true)",
    "rerun_batch": 'select create_rerun_batch(\'{"country": "us"}\')',
}


@pytest.mark.parametrize("name", INSERTS)
def test_a_sequence_that_is_behind_is_told_with_the_statement_to_type(rows: Connection, name: str) -> None:
    table = name.split(" ")[0]
    schema, key = {
        "report_outputs": ("public", "id"),
        "simulations": ("public", "id"),
        "rerun": ("pgreprise", "rerun_id"),
        "rerun_batch": ("pgreprise", "batch_id"),
    }[table]
    sequence = f"{schema}.{table}_{key}_seq"
    if table == "rerun":
        # A batch takes two numbers for one act, so two acts in a row have the next ones.
        rows.execute("call rerun_report(3)")
        rows.execute(f"alter sequence {sequence} restart with 2".encode())
    else:
        rows.execute(f"alter sequence {sequence} restart".encode())
    said = refusal(rows, INSERTS[name])
    assert said.code == "RR023"
    assert said.message == (
        f"The next id of table {schema}.{table} is taken: its sequence is behind, as after a restore. "
        "Nothing was changed."
    )
    assert said.hint is not None
    remedy = said.hint.removeprefix("The owner of the table types: ")
    assert remedy == f"select setval('{sequence}', (select max({key}) from {schema}.{table}));"  # noqa: S608
    rows.execute(remedy.encode())
    rows.execute(INSERTS[name].encode())


def test_another_row_of_the_applications_that_is_taken_keeps_its_own_error(rows: Connection) -> None:
    rows.execute("create unique index one_of_a_year on public.report_outputs (year) where year = '2031'")
    rows.execute(INSERTS["report_outputs"].encode())
    before = one(rows, "select count(*) from report_outputs")
    with pytest.raises(psycopg.errors.UniqueViolation, match="one_of_a_year"):
        rows.execute("select get_or_create_report('us', 2, year => '2031')")
    assert one(rows, "select count(*) from report_outputs") == before


def test_a_sequence_that_no_table_owns_is_told_when_it_is_behind(rows: Connection) -> None:
    rows.execute(
        "create sequence public.report_ids; grant usage on sequence public.report_ids to pgreprise_owner; "
        "alter table public.report_outputs alter id drop identity, alter id set default nextval('public.report_ids')"
    )
    said = refusal(rows, INSERTS["report_outputs"])
    remedy = "select setval('public.report_ids', (select max(id) from public.report_outputs));"
    assert (said.code, said.hint) == ("RR023", f"The owner of the table types: {remedy}")
    rows.execute(remedy.encode())
    rows.execute(INSERTS["report_outputs"].encode())


@pytest.mark.parametrize(("start", "is_behind"), [("restart with 3", True), ("restart with 4", False)])
def test_a_sequence_that_has_given_no_number_since_is_behind_where_its_next_one_is_taken(
    rows: Connection, start: str, is_behind: bool
) -> None:
    rows.execute(f"alter sequence public.report_outputs_id_seq {start}".encode())
    found = rows.execute("select table_name from pgreprise.sequences_behind()").fetchall()
    assert found == [{"table_name": "public.report_outputs"}] * is_behind


def test_a_sequence_at_its_end_is_not_behind(rows: Connection) -> None:
    rows.execute("select setval('pgreprise.rerun_rerun_id_seq', 9223372036854775807)")
    assert rows.execute("select * from pgreprise.sequences_behind()").fetchall() == []
