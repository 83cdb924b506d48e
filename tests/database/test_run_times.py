"""When a run began to wait, was started and finished, who tried, and how long it took."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.support.claims import claim, finish, lose
from tests.support.databases import Connection
from tests.support.factories import TIMES, add_economy_report, add_report, add_simulation, set_versions
from tests.support.statements import one, rerun, undo

OF_A_RUN = [name for name in TIMES if name != "requested_at"]


def times(connection: Connection, kind: str, row_id: int) -> dict[str, Any]:
    """The times of the current run, as a reader sees them."""
    row = one(connection, f"select * from get_{kind}(%s)", row_id)  # noqa: S608
    return {name: row[name] for name in OF_A_RUN}


def runs(connection: Connection, report_id: int) -> list[dict[str, Any]]:
    """The runs of a report, the newest first."""
    return connection.execute("select * from report_history(%s)", (report_id,)).fetchall()


@pytest.fixture
def report(sandbox: Connection) -> int:
    """An economy report that the application made, complete."""
    set_versions(sandbox)
    return add_economy_report(sandbox)[0]


def test_of_a_row_that_the_application_made_nothing_is_known(sandbox: Connection, report: int) -> None:
    assert set(times(sandbox, "report", report).values()) == {None}


def test_a_row_that_pgreprise_made_waits_since_then(sandbox: Connection) -> None:
    set_versions(sandbox)
    simulation = one(
        sandbox, "select (stored).id from get_or_create_simulation('us', 'state/ny', 'geography', 2) as made"
    )["id"]
    report = one(sandbox, "select (stored).id from get_or_create_report('us', %s) as made", simulation)["id"]

    now = one(sandbox, "select now() as now")["now"]
    for kind, row_id in (("report", report), ("simulation", simulation)):
        assert times(sandbox, kind, row_id) == {**dict.fromkeys(OF_A_RUN), "pending_since": now}


def test_a_run_that_an_act_started_waits_since_the_act(sandbox: Connection, report: int) -> None:
    rerun(sandbox, report)

    now = one(sandbox, "select now() as now")["now"]
    assert times(sandbox, "report", report) == {**dict.fromkeys(OF_A_RUN), "pending_since": now}
    assert runs(sandbox, report)[0]["pending_since"] == now


@pytest.mark.parametrize("kind", ["report", "simulation"])
def test_a_plain_write_tells_when_a_run_was_started_and_finished(sandbox: Connection, kind: str) -> None:
    simulation = add_simulation(sandbox, status="pending", output=None)
    row_id = add_report(sandbox, simulation, status="pending", output=None) if kind == "report" else simulation

    def write(values: str) -> dict[str, Any]:
        sandbox.execute(f"select update_{kind}(%s, {values})", (row_id,))
        return times(sandbox, kind, row_id)

    started = write("status => 'running'")
    again = write("error_message => 'slow'")
    finished = write("status => 'complete', output => '1'")

    assert isinstance(started["started_at"], datetime)
    assert (started["finished_at"], started["run_seconds"]) == (None, None)
    assert again == started
    assert finished["started_at"] == started["started_at"]
    assert finished["run_seconds"] == (finished["finished_at"] - started["started_at"]).total_seconds()


def test_a_run_that_waits_again_was_not_started(sandbox: Connection, report: int) -> None:
    rerun(sandbox, report)
    sandbox.execute("select update_report(%s, status => 'running')", (report,))
    sandbox.execute("select update_report(%s, status => 'pending')", (report,))

    assert times(sandbox, "report", report)["started_at"] is None


def test_attempts_are_counted_and_the_last_one_is_what_ran(sandbox: Connection, report: int) -> None:
    rerun(sandbox, report)
    lost = claim(sandbox)
    lose(sandbox, lost)
    taken = claim(sandbox, worker="worker 2")
    finish(sandbox, taken)

    found = times(sandbox, "report", report)
    attempts = sandbox.execute("select * from report_attempts(%s)", (report,)).fetchall()
    assert [(row["attempt"], row["worker"], row["ended_as"]) for row in attempts] == [
        (2, "worker 2", "complete"),
        (1, "worker 1", "lost"),
    ]
    assert found["attempt"] == 2
    assert found["claimed_at"] == attempts[0]["claimed_at"]
    assert found["started_at"] >= found["claimed_at"]
    assert found["wait_seconds"] == (found["started_at"] - found["pending_since"]).total_seconds()
    assert found["finished_at"] >= found["started_at"]
    simulation = taken["simulations"][0]["simulation_id"]
    assert times(sandbox, "simulation", simulation)["attempt"] == 2
    [current, first] = runs(sandbox, report)
    assert {name: current[name] for name in OF_A_RUN} == found
    assert first["attempt"] is None


def test_the_times_of_a_run_stay_when_the_next_one_begins(sandbox: Connection, report: int) -> None:
    rerun(sandbox, report)
    finish(sandbox, claim(sandbox))
    before = times(sandbox, "report", report)
    simulation = one(sandbox, "select simulation_1_id as id from report_outputs where id = %s", report)["id"]
    simulation_before = times(sandbox, "simulation", simulation)

    act = rerun(sandbox, report)["rerun_id"]

    assert {name: runs(sandbox, report)[1][name] for name in OF_A_RUN} == before
    archived = one(sandbox, "select * from report_run_output(%s, 2)", report)
    assert {name: archived[name] for name in OF_A_RUN} == before
    # The undo puts the result back, and with it the times when it was computed.
    undo(sandbox, act)
    assert times(sandbox, "report", report) == before
    assert times(sandbox, "simulation", simulation) == simulation_before


def test_an_undo_of_a_run_that_was_never_finished_waits_since_the_undo(sandbox: Connection, report: int) -> None:
    rerun(sandbox, report)
    claim(sandbox)
    act = rerun(sandbox, report)["rerun_id"]
    undo(sandbox, act)

    now = one(sandbox, "select now() as now")["now"]
    assert times(sandbox, "report", report) == {**dict.fromkeys(OF_A_RUN), "pending_since": now}


def test_a_new_row_with_the_id_of_a_deleted_one_has_times_of_its_own(sandbox: Connection) -> None:
    set_versions(sandbox)
    made = "select (stored).id from get_or_create_simulation('us', %s, 'geography', 2) as made"
    first = one(sandbox, made, "state/ny")["id"]
    sandbox.execute("select update_simulation(%s, status => 'complete', output => '1')", (first,))
    sandbox.execute("delete from simulations where id = %s", (first,))
    sandbox.execute("select setval(pg_get_serial_sequence('simulations', 'id'), %s, false)", (first,))

    again = one(sandbox, made, "state/ca")["id"]

    assert again == first
    assert times(sandbox, "simulation", again)["finished_at"] is None
