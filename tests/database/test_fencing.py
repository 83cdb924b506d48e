"""A worker that began before a rerun, or before its undo, cannot write its stale result afterwards."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.concurrency import waiting_for_a_lock
from tests.support.databases import Connect, Connection
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.refusals import refusal
from tests.support.snapshots import changed_tables, everything, put_back, snapshot, without_runs
from tests.support.statements import newest_act, one, rerun, undo

KINDS = ("report", "simulation")
WRITE = "select * from update_{kind}(%s, 'us', status => 'complete', output => %s, run_sequence => %s::integer)"


def write(kind: str) -> str:
    return WRITE.format(kind=kind)


def read(connection: Connection, kind: str, row_id: int) -> int:
    """What a worker does first: read the row, and keep its run."""
    return int(one(connection, f"select run_sequence from get_{kind}(%s, 'us')", row_id)["run_sequence"])  # noqa: S608


def stored(connection: Connection, kind: str, row_id: int) -> dict[str, Any]:
    table = "report_outputs" if kind == "report" else "simulations"
    [row] = [row for row in snapshot(connection)[table] if row["id"] == row_id]
    return {name: row[name] for name in ("status", "output", "run_sequence")}


def not_current(kind: str, row_id: int, current: int, written: int) -> tuple[str, str, dict[str, int]]:
    return (
        "RR011",
        f"{kind.capitalize()} #{row_id} is at run {current}, but this write is for run {written}.",
        {f"{kind}_id": row_id, "run_sequence": written, "current_run_sequence": current},
    )


def begin(connection: Connection) -> None:
    """All reports and simulations are computed now."""
    for table in ("report_outputs", "simulations"):
        connection.execute(f"update public.{table} set status = 'running', output = null")  # noqa: S608


@pytest.fixture
def ids(sandbox: Connection) -> dict[str, int]:
    """An economy report, and its first simulation."""
    set_versions(sandbox)
    report, first, _ = add_economy_report(sandbox)
    add_reform_impact(sandbox)
    begin(sandbox)
    return {"report": report, "simulation": first}


# --- one after the other ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_result_for_the_current_run_is_written_and_the_row_carries_its_run(
    sandbox: Connection, ids: dict[str, int], kind: str
) -> None:
    for run in (1, 2):
        assert read(sandbox, kind, ids[kind]) == run
        row = one(sandbox, write(kind), ids[kind], f'{{"run": {run}}}', run)
        assert (row["id"], row["status"], row["run_sequence"]) == (ids[kind], "complete", run)
        assert stored(sandbox, kind, ids[kind]) == {
            "status": "complete",
            "output": f'{{"run": {run}}}',
            "run_sequence": run,
        }
        rerun(sandbox, ids["report"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "act",
    [
        "call rerun_report({report})",
        "call rerun_reports(array[{report}])",
        "select reset_report({report}), reset_simulation({simulation})",
    ],
)
def test_a_worker_that_began_before_the_rerun_is_refused(
    sandbox: Connection, ids: dict[str, int], kind: str, act: str
) -> None:
    run = read(sandbox, kind, ids[kind])
    sandbox.execute(act.format(**ids))
    said = refusal(sandbox, write(kind), ids[kind], "{}", run)
    assert said[:3] == not_current(kind, ids[kind], 2, 1)
    assert (
        said.hint
        == "Nothing was changed. Discard this result. The worker that computes the current run writes its own."
    )
    one(sandbox, write(kind), ids[kind], "{}", 2)


@pytest.mark.parametrize("kind", KINDS)
def test_after_rerun_undo_rerun_the_workers_of_all_earlier_runs_are_refused(
    sandbox: Connection, ids: dict[str, int], kind: str
) -> None:
    before = put_back(snapshot(sandbox))
    runs = [read(sandbox, kind, ids[kind])]
    first = rerun(sandbox, ids["report"])["rerun_id"]
    runs.append(read(sandbox, kind, ids[kind]))
    undo(sandbox, first)
    runs.append(read(sandbox, kind, ids[kind]))
    # What was put back is not theirs to overwrite either.
    for run in runs[:-1]:
        assert refusal(sandbox, write(kind), ids[kind], "{}", run)[:3] == not_current(kind, ids[kind], 3, run)
    assert without_runs(snapshot(sandbox)) == before
    rerun(sandbox, ids["report"])
    assert runs == [1, 2, 3]
    for run in runs:
        assert refusal(sandbox, write(kind), ids[kind], "{}", run)[:3] == not_current(kind, ids[kind], 4, run)
    one(sandbox, write(kind), ids[kind], "{}", 4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("run", [0, 3, -1, 2**31 - 1])
def test_a_run_that_never_was_is_refused_too(sandbox: Connection, ids: dict[str, int], kind: str, run: int) -> None:
    rerun(sandbox, ids["report"])
    assert refusal(sandbox, write(kind), ids[kind], "{}", run)[:3] == not_current(kind, ids[kind], 2, run)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("values", ["status => 'running'", "error_message => 'lost', status => 'error'"])
def test_every_kind_of_write_is_fenced(sandbox: Connection, ids: dict[str, int], kind: str, values: str) -> None:
    rerun(sandbox, ids["report"])
    said = refusal(sandbox, f"select update_{kind}(%s, {values}, run_sequence => 1)", ids[kind])
    assert said[:3] == not_current(kind, ids[kind], 2, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_write_without_a_run_is_taken_whatever_the_run(sandbox: Connection, ids: dict[str, int], kind: str) -> None:
    rerun(sandbox, ids["report"])
    for status, run in (("running", None), ("complete", None)):
        before = everything(sandbox)
        one(sandbox, write(kind).replace("complete", status), ids[kind], f'"{status}"', run)
        assert changed_tables(before, everything(sandbox)) == {
            "report_outputs" if kind == "report" else "simulations",
            "run_time",
        }
    assert stored(sandbox, kind, ids[kind]) == {"status": "complete", "output": '"complete"', "run_sequence": 2}


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_that_is_not_there_is_not_found_with_a_run_as_without(
    sandbox: Connection, ids: dict[str, int], kind: str
) -> None:
    code = "RR001" if kind == "report" else "RR007"
    assert refusal(sandbox, write(kind), 999999999, "{}", 1).code == code
    assert refusal(sandbox, write(kind).replace("'us'", "'uk'"), ids[kind], "{}", 1).code == code
    assert refusal(sandbox, write(kind).replace("'us'", "'uk'"), ids[kind], "{}", 7).code == code


def test_a_rerun_fences_the_workers_of_its_own_simulations_only(sandbox: Connection, ids: dict[str, int]) -> None:
    other = add_report(sandbox, ids["simulation"], status="running", output=None)
    alone = add_simulation(sandbox, status="running", output=None)
    rerun(sandbox, ids["report"])
    # The report that shares the simulation keeps its result and its run.
    one(sandbox, write("report"), other, "{}", 1)
    one(sandbox, write("simulation"), alone, "{}", 1)


def test_the_undo_of_a_single_reset_fences_that_row_alone(sandbox: Connection, ids: dict[str, int]) -> None:
    sandbox.execute("select reset_simulation(%s)", (ids["simulation"],))
    undo(sandbox, newest_act(sandbox)["rerun_id"])
    for run in (1, 2):
        assert refusal(sandbox, write("simulation"), ids["simulation"], "{}", run).code == "RR011"
    one(sandbox, write("report"), ids["report"], "{}", 1)
    one(sandbox, write("simulation"), ids["simulation"], "{}", 3)


# --- at the same moment ----------------------------------------------------------------------


@pytest.fixture
def both(dba: Connection) -> Connection:
    """Report 1 of simulations 1 and 2, with a row of its cache."""
    set_versions(dba)
    add_economy_report(dba)
    add_reform_impact(dba)
    begin(dba)
    return dba


def test_a_stale_worker_that_waits_for_an_uncommitted_rerun_is_refused_when_it_commits(
    both: Connection, connect: Connect
) -> None:
    worker, watcher = connect(role="pgreprise_api"), connect()
    for run, kind in enumerate(KINDS, start=1):
        assert read(worker, kind, 1) == run
        before = snapshot(both)
        both.execute("begin")
        rerun(both, 1)
        with (
            pytest.raises(psycopg.Error) as caught,
            waiting_for_a_lock(watcher, worker, write(kind), 1, '{"stale": 1}', run),
        ):
            both.execute("commit")
        assert (caught.value.sqlstate, caught.value.diag.message_primary) == not_current(kind, 1, run + 1, run)[:2]
        pending = {"status": "pending", "output": None, "run_sequence": run + 1}
        assert stored(both, "report", 1) == stored(both, "simulation", 1) == pending
        assert snapshot(both) != before


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_that_waits_for_a_rerun_which_is_rolled_back_writes_its_result(
    both: Connection, connect: Connect, kind: str
) -> None:
    worker = connect(role="pgreprise_api")
    both.execute("begin")
    rerun(both, 1)
    with waiting_for_a_lock(connect(), worker, write(kind), 1, '{"good": 1}', 1) as writing:
        both.execute("rollback")
    assert len(writing.result().fetchall()) == 1
    assert stored(both, kind, 1) == {"status": "complete", "output": '{"good": 1}', "run_sequence": 1}


@pytest.mark.parametrize("kind", KINDS)
def test_a_rerun_that_waits_for_an_uncommitted_result_archives_and_clears_it(
    both: Connection, connect: Connect, kind: str
) -> None:
    worker = connect(role="pgreprise_api", autocommit=False)
    worker.execute(write(kind), (1, '{"just" :"in time"}', 1))
    with waiting_for_a_lock(connect(), both, "call rerun_report(1)"):
        worker.commit()
    assert stored(both, kind, 1) == {"status": "pending", "output": None, "run_sequence": 2}
    archived = one(
        connect(),
        f"select output::text as output from pgreprise.{kind}_run where {kind}_id = 1 and run_sequence = 1",  # noqa: S608
    )
    assert archived["output"] == '{"just" :"in time"}'
    # The worker's next write is for a run that has ended.
    with pytest.raises(psycopg.Error) as caught:
        worker.execute(write(kind), (1, "{}", 1))
    assert caught.value.sqlstate == "RR011"


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_of_the_new_run_that_waits_for_an_uncommitted_undo_is_refused(
    both: Connection, connect: Connect, kind: str
) -> None:
    before = put_back(snapshot(both))
    done = rerun(both, 1)
    worker = connect(role="pgreprise_api")
    run = read(worker, kind, 1)
    both.execute("begin")
    undo(both, done["rerun_id"])
    with (
        pytest.raises(psycopg.Error) as caught,
        waiting_for_a_lock(connect(), worker, write(kind), 1, "{}", run),
    ):
        both.execute("commit")
    assert (caught.value.sqlstate, caught.value.diag.message_primary) == not_current(kind, 1, 3, 2)[:2]
    assert without_runs(snapshot(both)) == before


@pytest.mark.parametrize("kind", KINDS)
def test_an_undo_that_waits_for_an_uncommitted_result_of_the_new_run_is_refused(
    both: Connection, connect: Connect, kind: str
) -> None:
    done = rerun(both, 1)
    worker = connect(role="pgreprise_api", autocommit=False)
    worker.execute(write(kind), (1, '{"new": 1}', 2))
    undoing = "call undo_rerun(%s)"
    with pytest.raises(psycopg.Error) as caught, waiting_for_a_lock(connect(), both, undoing, done["rerun_id"]):
        worker.commit()
    assert caught.value.sqlstate == "RR010"
    assert stored(both, kind, 1) == {"status": "complete", "output": '{"new": 1}', "run_sequence": 2}


def test_two_undos_of_one_rerun_at_once_put_it_back_once(both: Connection, connect: Connect) -> None:
    before = put_back(snapshot(both))
    done = rerun(both, 1)
    both.execute("begin")
    undo(both, done["rerun_id"])
    other = connect(role="pgreprise_api")
    undoing = "call undo_rerun(%s)"
    with pytest.raises(psycopg.Error) as caught, waiting_for_a_lock(connect(), other, undoing, done["rerun_id"]):
        both.execute("commit")
    assert caught.value.sqlstate == "RR014"
    assert without_runs(snapshot(both)) == before
    assert one(both, "select count(*) as undos from pgreprise.rerun where kind = 'undo'")["undos"] == 1


def test_a_stricter_worker_whose_snapshot_is_older_than_the_rerun_is_told_to_retry_and_then_refused(
    both: Connection, connect: Connect
) -> None:
    worker = connect(role="pgreprise_api", autocommit=False)
    worker.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    run = read(worker, "report", 1)
    rerun(both, 1)
    with pytest.raises(psycopg.errors.SerializationFailure):
        worker.execute(write("report"), (1, "{}", run))
    worker.rollback()
    with pytest.raises(psycopg.Error) as caught:
        worker.execute(write("report"), (1, "{}", run))
    assert caught.value.sqlstate == "RR011"
