"""An id comes back: a row is deleted and another gets its id, as after a truncation that restarts the sequence."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from pyapi.database import connect_engine
from pyapi.schema.legacy import import_legacy
from tests.support.databases import Connection
from tests.support.factories import add_reform_impact, add_report, add_simulation, set_versions
from tests.support.refusals import refusal
from tests.support.statements import one, rerun

EMPTY = "truncate public.report_outputs, public.simulations, public.reform_impact restart identity"


def add_rows(connection: Connection) -> None:
    """Report 1 of simulations 1 and 2, linked the other way round, and report 2 of simulation 1."""
    assert (add_simulation(connection), add_simulation(connection, policy_id=3)) == (1, 2)
    assert (add_report(connection, 2, 1), add_report(connection, 1)) == (1, 2)
    add_reform_impact(connection)


@pytest.fixture
def rows(dba: Connection) -> Connection:
    """Rows of before were rerun twice, one of the reruns was undone; then everything came anew with the same ids."""
    set_versions(dba)
    add_rows(dba)
    rerun(dba, 1)
    dba.execute("call undo_rerun(%s::bigint)", (rerun(dba, 1)["rerun_id"],))
    assert runs(dba) == {"report": {1: 4, 2: 1}, "simulation": {1: 4, 2: 4}}
    dba.execute(EMPTY)
    add_rows(dba)
    dba.execute("update public.report_outputs set output = '{\"new\":  1}'")
    return dba


def runs(connection: Connection) -> dict[str, dict[int, int]]:
    return {
        kind: {
            row["id"]: row["run_sequence"]
            for row in connection.execute(f"select id, run_sequence from public.{table}").fetchall()  # noqa: S608
        }
        for kind, table in (("report", "report_outputs"), ("simulation", "simulations"))
    }


def history(connection: Connection, report_id: int) -> list[int]:
    found = connection.execute("select run_sequence from report_history(%s)", (report_id,)).fetchall()
    return [row["run_sequence"] for row in found]


def test_the_history_of_a_new_row_begins_with_its_own_run(rows: Connection) -> None:
    assert history(rows, 1) == [1]
    assert one(rows, "select output::text from report_run_output(1, 1)") == {"output": '{"new":  1}'}
    assert refusal(rows, "select * from report_run_output(1, 2)").code == "RR019"


def test_a_rerun_goes_on_after_the_runs_of_the_earlier_row(rows: Connection) -> None:
    result = rerun(rows, 1)
    assert (result["run_sequence"], result["simulation_ids"]) == (6, [2, 1])
    assert runs(rows) == {"report": {1: 6, 2: 1}, "simulation": {1: 6, 2: 6}}
    act = one(rows, "select * from pgreprise.rerun where rerun_id = %s", result["rerun_id"])
    assert act["simulation_run_sequences"] == [6, 6]
    # Run 4 of the earlier row was still going on when it was deleted.
    assert history(rows, 1) == [6, 5, 3, 2, 1]
    assert one(rows, "select output::text from report_run_output(1, 5)") == {"output": '{"new":  1}'}
    rows.execute("call undo_rerun(%s::bigint)", (result["rerun_id"],))
    assert one(rows, "select output::text, run_sequence from public.report_outputs where id = 1") == {
        "output": '{"new":  1}',
        "run_sequence": 7,
    }


@pytest.mark.parametrize(
    "call", ["call rerun_reports('{1,2}')", "select rerun_batch_chunk(create_rerun_batch('{\"ids\": [1, 2]}'))"]
)
def test_many_at_once_go_on_too_beside_rows_without_an_earlier_one(rows: Connection, call: str) -> None:
    rows.execute(call)
    assert runs(rows) == {"report": {1: 6, 2: 2}, "simulation": {1: 6, 2: 6}}
    started = rows.execute(
        "select report_id, run_sequence, simulation_ids, simulation_run_sequences from pgreprise.rerun "
        "order by rerun_id desc limit 2"
    ).fetchall()
    assert [tuple(row.values()) for row in reversed(started)] == [(1, 6, [2, 1], [6, 6]), (2, 2, [1], [None])]


def test_resets_of_one_row_go_on_too(rows: Connection) -> None:
    rows.execute("select reset_report(1), reset_simulation(2)")
    assert runs(rows) == {"report": {1: 6, 2: 1}, "simulation": {1: 1, 2: 6}}
    started = {
        row["kind"]: (row["run_sequence"], row["simulation_run_sequences"])
        for row in rows.execute("select * from pgreprise.rerun where kind like 'reset%'").fetchall()
    }
    assert started == {"reset_report": (6, []), "reset_simulation": (None, [6])}


@pytest.mark.parametrize("force", [False, True])
def test_what_was_done_to_the_earlier_row_is_not_undone_on_the_new_one(rows: Connection, force: bool) -> None:
    first = one(rows, "select min(rerun_id) as id from pgreprise.rerun")["id"]
    said = refusal(rows, "call undo_rerun(%s::bigint, force => %s)", first, force)
    assert said.code == "RR010"
    assert "report #1 is another row with the id of a deleted one" in str(said.message)


def test_a_row_that_the_routines_create_goes_on_at_once(rows: Connection) -> None:
    rows.execute(EMPTY)
    made = one(
        rows,
        "select (stored).id, (stored).run_sequence from get_or_create_simulation('us', 'state/ny', 'geography', 9)",
    )
    assert made == {"id": 1, "run_sequence": 5}
    made = one(rows, "select (stored).id, (stored).run_sequence from get_or_create_report('us', 1, year => '2030')")
    assert made == {"id": 1, "run_sequence": 5}
    assert history(rows, 1) == [5, 3, 2, 1]
    # A worker of the earlier row is refused.
    said = refusal(rows, "select update_report(1, status => 'error', run_sequence => 4)")
    assert said.code == "RR011"
    assert rerun(rows, 1)["run_sequence"] == 6


def test_imported_rows_go_on_after_a_history_of_their_ids(rows: Connection, database: URL, tmp_path: Path) -> None:
    source = tmp_path / "legacy.sqlite"
    with closing(sqlite3.connect(source)) as legacy:
        for table in ("simulations", "report_outputs", "reform_impact"):
            names = [
                column.name
                for column in rows.execute(f"select * from public.{table} limit 0").description or ()  # noqa: S608
                if column.name != "run_sequence"
            ]
            legacy.execute(f"create table {table} ({', '.join(names)})")
            stored: list[dict[str, Any]] = rows.execute(
                f"select {', '.join(f'{name}::text' for name in names)} from public.{table}"  # noqa: S608
            ).fetchall()
            for row in stored:
                places = ", ".join("?" * len(names))
                legacy.execute(f"insert into {table} values ({places})", tuple(row.values()))  # noqa: S608
        legacy.commit()
    rows.execute(EMPTY)
    engine = connect_engine(database)
    import_legacy(str(source), engine)
    engine.dispose()
    assert runs(rows) == {"report": {1: 5, 2: 1}, "simulation": {1: 5, 2: 5}}
    assert rerun(rows, 1)["run_sequence"] == 6
