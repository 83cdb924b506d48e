"""Workers and everybody else at once: a claim waits for nobody, nobody deadlocks, and nothing is done twice or lost."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel

from benchmarks.stress.invariants import QUERIES
from tests.support.claims import age, claim, claim_row, claims, finish, status_of
from tests.support.concurrency import LEVELS, at_once, connections, waiting_for_a_lock
from tests.support.databases import Connect, Connection
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.statements import one, rerun
from tests.support.worlds import add_shared_reports, assert_history_is_whole

WAITING = {"status": "pending", "output": None}


@pytest.fixture
def sharing(dba: Connection) -> tuple[int, int, int, int, int]:
    """Two pending reports, each with a simulation of its own and one that both share: 1 of 1 and 2, 2 of 2 and 3."""
    set_versions(dba)
    first, shared, last = (add_simulation(dba, policy_id=policy, **WAITING) for policy in (2, 3, 4))
    return (
        add_report(dba, first, shared, **WAITING),
        add_report(dba, shared, last, **WAITING),
        *(first, shared, last),
    )


@contextmanager
def held(connection: Connection, statement: str, *arguments: Any) -> Iterator[None]:
    """Somebody has done something and has not committed it yet."""
    with connection.transaction(force_rollback=True):
        connection.execute(statement, arguments)
        yield


def impatient(connection: Connection) -> Connection:
    """A caller who cannot wait: what has to wait for a lock fails at once."""
    connection.execute("set lock_timeout = '1ms'")
    return connection


def refused(connection: Connection, statement: str, *arguments: Any) -> str:
    """The SQLSTATE that a call is refused with."""
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(statement, arguments)
    return str(caught.value.sqlstate)


def finished(claimed: dict[str, Any]) -> tuple[str, Any]:
    return "select from finish_report(%s, '{\"n\": 1}')", claimed["claim_id"]


# --- a claim waits for nobody ----------------------------------------------------------------


def test_two_workers_at_once_get_different_reports(dba: Connection, connect: Connect) -> None:
    reports = [add_report(dba, add_simulation(dba), **WAITING) for _ in range(2)]
    first, second = connect(), impatient(connect())
    with first.transaction():
        [one_report] = claims(first)
        [other] = claims(second, "worker 2")
        assert claims(second, "worker 3") == []
    assert [one_report["report_id"], other["report_id"]] == reports


@pytest.mark.needs("time")
@pytest.mark.parametrize(
    "statement",
    [
        "select from public.report_outputs where id = 1 for update",
        "select from public.report_outputs where id = 1 for no key update",
        "update public.report_outputs set year = '2026' where id = 1",
        "delete from public.report_outputs where id = 1",
        "select from public.simulations where id = 1 for update",
        "update public.simulations set status = 'running' where id = 1",
        "delete from public.simulations where id = 2",
        "call rerun_report(1)",
        "select reset_report(1)",
        "select reset_simulation(1)",
        "select from update_report(1, status => 'running')",
        "select from update_simulation(2, status => 'complete', output => '1')",
        "select cancel_run(1)",
    ],
)
@pytest.mark.parametrize("report_id", [None, 1])
@pytest.mark.usefixtures("sharing")
def test_a_claim_does_not_wait_for_a_row_that_somebody_holds(
    dba: Connection, connect: Connect, statement: str, report_id: int | None
) -> None:
    free = add_report(dba, add_simulation(dba, policy_id=9, **WAITING), **WAITING)
    with held(dba, statement):
        found = claims(impatient(connect()), report_id=report_id, max_reports=5)
    # The simulation of the second report may be free, where the first one alone is held.
    assert 1 not in {row["report_id"] for row in found}
    assert report_id is not None or free in {row["report_id"] for row in found}


@pytest.mark.needs("time")
@pytest.mark.parametrize(
    "statement",
    [
        "select from pgreprise.claim for update",
        "select from public.report_outputs where id = 1 for update",
        "select from public.simulations where id = 2 for update",
        "select from heartbeat_claim(%(claim_id)s)",
        "select from finish_simulation(%(claim_id)s, 1, '1')",
        "select from fail_report(%(claim_id)s, 'no')",
        "select release_claim(%(claim_id)s)",
        "select from pgreprise.sweep_claims(9, clock_timestamp())",
        "select from claim_report('another')",
        "delete from pgreprise.retry",
        "update pgreprise.claim_position set after_report_id = 0",
    ],
)
def test_a_claim_waits_neither_for_a_lapsed_claim_nor_for_who_takes_it_over(
    dba: Connection, connect: Connect, sharing: tuple[int, ...], statement: str
) -> None:
    free = add_report(dba, add_simulation(dba, policy_id=9, **WAITING), **WAITING)
    taken = claim(dba, sharing[0])
    age(dba, taken)
    dba.execute("insert into pgreprise.retry values (%s, 1, now() - interval '1 s'), (999, 1, now())", (free,))
    with dba.transaction(force_rollback=True):
        dba.execute(statement, taken)
        found = claims(impatient(connect()), max_reports=5)
    # Another worker has claimed it, or it waits.
    assert free in {row["report_id"] for row in found} or "claim_report" in statement


def test_a_heartbeat_waits_for_nobody_but_its_claim(
    dba: Connection, connect: Connect, sharing: tuple[int, ...]
) -> None:
    taken = claim(dba, sharing[0])
    beat = "select cancel_requested from heartbeat_claim(%s)"
    with held(
        dba,
        "select from public.report_outputs, public.simulations, pgreprise.claim_simulation "
        "for update of report_outputs, simulations, claim_simulation",
    ):
        impatient(connect()).execute(beat, (taken["claim_id"],))
    with held(dba, "select from pgreprise.claim for update"):
        assert refused(impatient(connect()), beat, taken["claim_id"]) == "55P03"


def test_a_rerun_that_revokes_a_claim_does_not_wait_for_the_report_of_it(
    dba: Connection, connect: Connect, sharing: tuple[int, ...]
) -> None:
    relying, other, *_ = sharing
    taken = claim(dba, relying)
    with held(dba, "select from public.report_outputs where id = %s for update", relying):
        rerun(impatient(connect()), other)
    assert claim_row(dba, taken)["revoked_at"] is not None
    assert refused(dba, *finished(taken)) == "RR027"


# --- two at once, in both orders -------------------------------------------------------------


@pytest.mark.parametrize("rerun_first", [True, False])
def test_a_finish_and_a_rerun_of_the_report(
    dba: Connection, connect: Connect, sharing: tuple[int, ...], rerun_first: bool
) -> None:
    report, _, first, shared, _ = sharing
    taken = claim(dba, report)
    for simulation in (first, shared):
        dba.execute("select from finish_simulation(%s, %s, '1')", (taken["claim_id"], simulation))
    one_caller, other = connect(), connect()
    one_caller.execute("begin")
    if rerun_first:
        rerun(one_caller, report)
        with pytest.raises(psycopg.Error) as caught, waiting_for_a_lock(dba, other, *finished(taken)):
            one_caller.execute("commit")
        assert caught.value.sqlstate == "RR027"
        assert claim_row(dba, taken)["ended_as"] == "superseded"
    else:
        one_caller.execute(*finished(taken)[:1], finished(taken)[1:])
        with waiting_for_a_lock(dba, other, "call rerun_report(%s::bigint)", report):
            one_caller.execute("commit")
        assert claim_row(dba, taken)["ended_as"] == "complete"
        assert one(dba, "select status from pgreprise.report_run")["status"] == "complete"
    assert status_of(dba, "report_outputs", report) == "pending"
    assert_history_is_whole(dba)


@pytest.mark.needs("time")
@pytest.mark.parametrize("rerun_first", [True, False])
@pytest.mark.parametrize("computes", [True, False])
def test_a_finish_and_a_rerun_of_a_report_that_shares_a_simulation(
    dba: Connection, connect: Connect, sharing: tuple[int, ...], rerun_first: bool, computes: bool
) -> None:
    report, other_report, first, shared, _ = sharing
    if not computes:
        dba.execute("update public.simulations set status = 'complete', output = '1' where id = %s", (shared,))
    taken = claim(dba, report)
    for simulation in (first, shared):
        if computes or simulation == first:
            dba.execute("select from finish_simulation(%s, %s, '1')", (taken["claim_id"], simulation))
    one_caller, other = connect(), connect()
    one_caller.execute("begin")
    if rerun_first:
        rerun(one_caller, other_report)
        with pytest.raises(psycopg.Error) as caught, waiting_for_a_lock(dba, other, *finished(taken)):
            one_caller.execute("commit")
        assert caught.value.sqlstate == "RR027"
    else:
        one_caller.execute(*finished(taken)[:1], finished(taken)[1:])
        with waiting_for_a_lock(dba, other, "call rerun_report(%s::bigint)", other_report):
            one_caller.execute("commit")
        assert (claim_row(dba, taken)["ended_as"], claim_row(dba, taken)["revoked_at"]) == ("complete", None)
    dba.execute("select from pgreprise.sweep_claims(9, clock_timestamp())")
    assert status_of(dba, "report_outputs", report) == ("pending" if rerun_first else "complete")


@pytest.mark.needs("time")
@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_a_rerun_whose_snapshot_is_older_than_a_claim_does_not_let_it_finish_from_what_was_reset(
    dba: Connection, connect: Connect, sharing: tuple[int, ...], level: IsolationLevel
) -> None:
    report, other_report, *_ = sharing
    dba.execute("update public.simulations set status = 'complete', output = '1'")
    caller = connect()
    caller.isolation_level = level
    with caller.transaction():
        caller.execute("select from public.report_outputs")
        taken = claim(dba, report)
        rerun(caller, other_report)
    assert refused(dba, *finished(taken)) in ("RR011", "RR027")
    assert status_of(dba, "report_outputs", report) == "running"


@pytest.mark.needs("time")
@pytest.mark.parametrize("successor_first", [True, False])
def test_the_finish_of_a_lost_worker_and_the_claim_of_the_next_one(
    dba: Connection, connect: Connect, sharing: tuple[int, ...], successor_first: bool
) -> None:
    report = sharing[0]
    dba.execute("update public.simulations set status = 'complete', output = '1'")
    lost = claim(dba, report)
    age(dba, lost)
    worker, successor = connect(), connect()
    first, second = (successor, worker) if successor_first else (worker, successor)
    first.execute("begin")
    if successor_first:
        taken = claim(first, report, "worker 2")
        with pytest.raises(psycopg.Error) as caught, waiting_for_a_lock(dba, second, *finished(lost)):
            first.execute("commit")
        assert caught.value.sqlstate == "RR027"
        finish(dba, taken)
        assert refused(dba, *finished(lost)) == "RR027"
    else:
        first.execute(*finished(lost)[:1], finished(lost)[1:])
        assert claims(impatient(second), "worker 2", report_id=report) == []
        first.execute("commit")
        assert claims(second, "worker 2", report_id=report) == []
    assert status_of(dba, "report_outputs", report) == "complete"
    ended = dba.execute("select ended_as from pgreprise.claim order by attempt").fetchall()
    assert [row["ended_as"] for row in ended] == (["lost", "complete"] if successor_first else ["complete"])


@pytest.mark.needs("time")
@pytest.mark.parametrize("sweep_first", [True, False])
def test_a_sweep_and_a_heartbeat(
    dba: Connection, connect: Connect, sharing: tuple[int, ...], sweep_first: bool
) -> None:
    taken = claim(dba, sharing[0])
    age(dba, taken)
    beat, sweep = "select from heartbeat_claim(%s)", "select from pgreprise.sweep_claims(9, clock_timestamp())"
    first, second = connect(), connect()
    first.execute("begin")
    if sweep_first:
        first.execute(sweep)
        with pytest.raises(psycopg.Error) as caught, waiting_for_a_lock(dba, second, beat, taken["claim_id"]):
            first.execute("commit")
        assert caught.value.sqlstate == "RR027"
        assert claim_row(dba, taken)["ended_as"] == "lost"
    else:
        first.execute(beat, (taken["claim_id"],))
        impatient(second).execute(sweep)
        first.execute("commit")
        second.execute(sweep)
        assert claim_row(dba, taken)["ended_as"] is None


def test_a_sweep_whose_candidate_was_renewed_meanwhile_leaves_it(
    dba: Connection, connect: Connect, sharing: tuple[int, ...]
) -> None:
    taken = claim(dba, sharing[0])
    age(dba, taken)
    # What the sweep saw before; the worker has renewed it since.
    caller = connect()
    as_of = one(caller, "select clock_timestamp() as now")["now"]
    dba.execute("select from heartbeat_claim(%s)", (taken["claim_id"],))
    caller.execute("select from pgreprise.sweep_claim(%s, %s)", (taken["claim_id"], as_of))
    assert claim_row(dba, taken)["ended_as"] is None


@pytest.mark.parametrize("write_first", [True, False])
def test_a_write_without_the_claim_and_a_finish(
    dba: Connection, connect: Connect, sharing: tuple[int, ...], write_first: bool
) -> None:
    report, _, first, shared, _ = sharing
    taken = claim(dba, report)
    for simulation in (first, shared):
        dba.execute("select from finish_simulation(%s, %s, '1')", (taken["claim_id"], simulation))
    write = ("select from update_report(%s, status => 'complete', output => '{\"n\": 2}')", report)
    one_caller, other = connect(), connect()
    earlier, later = (write, finished(taken)) if write_first else (finished(taken), write)
    one_caller.execute("begin")
    one_caller.execute(earlier[0], earlier[1:])
    with pytest.raises(psycopg.Error) as caught, waiting_for_a_lock(dba, other, *later):
        one_caller.execute("commit")
    assert caught.value.sqlstate == ("RR027" if write_first else "RR020")
    assert one(dba, "select output from public.report_outputs where id = %s", report)["output"] == {
        "n": 2 if write_first else 1
    }
    assert claim_row(dba, taken)["ended_as"] == ("superseded" if write_first else "complete")


@pytest.mark.needs("time")
@pytest.mark.parametrize("cancel_first", [True, False])
def test_a_cancellation_and_a_finish(
    dba: Connection, connect: Connect, sharing: tuple[int, ...], cancel_first: bool
) -> None:
    report, _, first, shared, _ = sharing
    taken = claim(dba, report)
    for simulation in (first, shared):
        dba.execute("select from finish_simulation(%s, %s, '1')", (taken["claim_id"], simulation))
    cancel = ("select cancel_run(%s, 'enough')", report)
    one_caller, other = connect(), connect()
    earlier, later = (cancel, finished(taken)) if cancel_first else (finished(taken), cancel)
    one_caller.execute("begin")
    one_caller.execute(earlier[0], earlier[1:])
    with pytest.raises(psycopg.Error) as caught, waiting_for_a_lock(dba, other, *later):
        one_caller.execute("commit")
    assert caught.value.sqlstate == ("RR027" if cancel_first else "RR020")
    if cancel_first:
        dba.execute("select release_claim(%s)", (taken["claim_id"],))
    assert status_of(dba, "report_outputs", report) == ("error" if cancel_first else "complete")
    assert claim_row(dba, taken)["ended_as"] == ("cancelled" if cancel_first else "complete")


# --- the order of locks ----------------------------------------------------------------------

LAST_WORDS = [
    "select release_claim(%(claim_id)s)",
    "select from fail_report(%(claim_id)s, 'no')",
    "select from fail_report(%(claim_id)s, 'no', interval '0')",
    "select cancel_run(%(report_id)s)",
    "select reset_report(%(report_id)s)",
    "select from update_report(%(report_id)s, status => 'running')",
    "call rerun_report(%(report_id)s::bigint)",
    "call rerun_reports(array[%(report_id)s::bigint])",
    "call undo_rerun(%(rerun_id)s::bigint)",
]


@pytest.mark.needs("time")
@pytest.mark.parametrize("cancelled", [True, False])
@pytest.mark.parametrize("statement", LAST_WORDS)
def test_what_ends_a_claim_waits_for_its_simulations_without_holding_the_claim(
    dba: Connection, connect: Connect, sharing: tuple[int, ...], statement: str, cancelled: bool
) -> None:
    report, other, _, shared, _ = sharing
    # The second of the two was left with the simulation that the first one reset.
    dba.execute("call rerun_reports(array[%s, %s]::bigint[])", (report, other))
    act = one(dba, "select rerun_id from pgreprise.rerun where report_id = %s", other)
    taken = claim(dba, other)
    if cancelled:
        dba.execute("select cancel_run(%s)", (other,))
    dba.execute("begin")
    dba.execute("select from public.simulations where id = %s for update", (shared,))
    watcher, caller = connect(), connect()
    named = statement.replace("%(rerun_id)s", str(act["rerun_id"])).replace("%(report_id)s", str(other))
    named = named.replace("%(claim_id)s", f"'{taken['claim_id']}'")
    is_refused = cancelled and "fail_report" in statement
    with (
        pytest.raises(psycopg.Error, match="is over: cancelled") if is_refused else nullcontext(),
        waiting_for_a_lock(watcher, caller, named),
    ):
        dba.execute("select from pgreprise.claim for update nowait")
        dba.execute("commit")


@pytest.mark.needs("time")
def test_a_worker_that_stops_after_a_cancellation_does_not_end_a_claim_that_was_ended_meanwhile(
    dba: Connection, connect: Connect, sharing: tuple[int, ...]
) -> None:
    taken = claim(dba, sharing[0])
    dba.execute("select cancel_run(%s)", (sharing[0],))
    age(dba, taken)
    sweeper, worker = connect(), connect()
    sweeper.execute("begin")
    sweeper.execute("select from pgreprise.sweep_claims(9, clock_timestamp())")
    with (
        pytest.raises(psycopg.Error, match="is over: cancelled"),
        waiting_for_a_lock(dba, worker, "select release_claim(%s)", taken["claim_id"]),
    ):
        sweeper.execute("commit")
    assert claim_row(dba, taken)["ended_as"] == "cancelled"
    assert status_of(dba, "report_outputs", sharing[0]) == "error"


# --- everybody at once -----------------------------------------------------------------------

WORKERS = 20
OTHERS = 12
REPORTS = 24
SIMULATIONS = 7
# What a caller may be told by the rules, since the others change things meanwhile.
EXPECTED = {
    "RR002",  # a report that cannot be rerun
    "RR003",
    "RR005",
    "RR010",  # an undo of what has moved on
    "RR011",  # a worker whose run has ended
    "RR013",  # an undo of a report that was never rerun
    "RR014",  # an undo of what was undone
    "RR020",  # a worker, or a cancellation, of what another one has finished
    "RR027",  # a worker that was lost, revoked or cancelled
    "RR031",  # a simulation that was put back to pending
    "55P03",  # a release of stuck runs that did not want to wait
}


def broken_invariants(connection: Connection) -> dict[str, list[Any]]:
    """The rows that the stress test's invariants of claims find."""
    found = {
        name: connection.execute(query.encode()).fetchall() for name, query in QUERIES if name.startswith("claims: ")
    }
    assert found
    return {name: rows for name, rows in found.items() if rows}


class Somebody:
    """One of many who do one thing after another, chosen by chance."""

    def __init__(self, connection: Connection, number: int, batches: list[int]) -> None:
        self.connection = connection
        self.number = number
        self.chance = random.Random(number)
        self.batches = batches
        self.told: Counter[str] = Counter()
        self.lost: list[dict[str, Any]] = []
        # The claims whose report this worker was told to have finished.
        self.finished: list[tuple[int, int]] = []

    def call(self, statement: str, *arguments: Any) -> bool:
        """Call as a program does: again where PostgreSQL asks for it; whether it was not refused."""
        while True:
            try:
                with self.connection.transaction():
                    self.connection.execute(statement, arguments)
            except psycopg.errors.SerializationFailure:
                self.told["40001"] += 1
            except psycopg.Error as error:
                if error.sqlstate not in EXPECTED:
                    raise
                self.told[str(error.sqlstate)] += 1
                return False
            else:
                return True

    def claims(self, max_reports: int) -> list[dict[str, Any]]:
        while True:
            try:
                with self.connection.transaction():
                    return claims(self.connection, f"worker {self.number}", max_reports=max_reports)
            except (psycopg.errors.SerializationFailure, psycopg.errors.LockNotAvailable) as error:
                self.told[str(error.sqlstate)] += 1

    def work(self) -> None:
        """A worker claims, and finishes, fails, gives back, oversleeps, or is never heard of again."""
        for claimed in self.claims(self.chance.randint(1, 3)):
            self.told["claimed"] += 1
            match self.chance.choice(["finish"] * 6 + ["fail", "retry", "release", "silence", "oversleep"]):
                case "finish":
                    self.finish(claimed)
                case "fail":
                    self.call("select from fail_report(%s, 'no data')", claimed["claim_id"])
                case "retry":
                    self.call("select from fail_report(%s, 'no data', interval '0.05 s')", claimed["claim_id"])
                case "release":
                    self.call("select release_claim(%s)", claimed["claim_id"])
                case "silence":
                    age(self.connection, claimed)
                case "oversleep":
                    age(self.connection, claimed)
                    self.lost.append(claimed)
        if self.lost and self.chance.random() < 0.5:
            self.finish(self.lost.pop(0))

    def finish(self, claimed: dict[str, Any]) -> None:
        result = json.dumps({"claim": str(claimed["claim_id"])})
        for item in claimed["simulations"]:
            if self.chance.random() < 0.3:
                self.call("select from heartbeat_claim(%s, progress => 0.5::real)", claimed["claim_id"])
            if item["computes"]:
                self.call(
                    "select from finish_simulation(%s, %s, %s)", claimed["claim_id"], item["simulation_id"], result
                )
        if self.call("select from finish_report(%s, %s)", claimed["claim_id"], result):
            self.finished.append((claimed["report_id"], claimed["run_sequence"]))

    def act_of(self, report_id: int) -> int:
        newest = "select coalesce(max(rerun_id), 1) as id from pgreprise.rerun where report_id = %s"
        return int(one(self.connection, newest, report_id)["id"])

    def disturb(self) -> None:
        """Somebody else changes what the workers work at."""
        report, simulation = self.chance.randint(1, REPORTS), self.chance.randint(1, SIMULATIONS)
        batch = self.chance.choice(self.batches)
        many = self.chance.sample(range(1, REPORTS + 1), 5)
        statement, arguments = self.chance.choice(
            [
                ("call rerun_report(%s::bigint)", [report]),
                ("call rerun_report(%s::bigint)", [report]),
                ("call rerun_reports(%s::bigint[])", [many]),
                ("select rerun_batch_chunk(%s::bigint, %s)", [batch, self.chance.randint(1, 6)]),
                ("select undo_batch_chunk(%s::bigint, force => true, chunk_size => 5)", [batch]),
                ("call undo_rerun(%s::bigint)", [self.act_of(report)]),
                ("select reset_report(%s)", [report]),
                ("select reset_simulation(%s)", [simulation]),
                ("select from update_report(%s, status => 'complete', output => '{\"claim\": null}')", [report]),
                ("select from update_simulation(%s, status => 'complete', output => '1')", [simulation]),
                ("select cancel_run(%s, 'enough')", [report]),
                ("select from release_stuck_runs(interval '0')", []),
                ("select from pgreprise.sweep_claims(9, clock_timestamp())", []),
            ]
        )
        self.call(statement, *arguments)


@pytest.mark.needs("time")
@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_workers_and_everybody_else_at_once_neither_deadlock_nor_finish_twice_nor_lose_a_report(
    dba: Connection, connect: Connect, level: IsolationLevel
) -> None:
    reports = add_shared_reports(dba, REPORTS)
    dba.execute("call rerun_reports(%s::bigint[])", (reports,))
    # Retries are due at once, and no report is given up.
    dba.execute("select set_setting('retry_wait', '0'), set_setting('lost_attempts', '100')")
    batches = [
        int(one(dba, "select create_rerun_batch(%s::jsonb) as id", json.dumps({"ids": reports}))["id"])
        for _ in range(6)
    ]
    everybody = [
        Somebody(each, number, batches) for number, each in enumerate(connections(connect, WORKERS + OTHERS, level))
    ]

    def live(number: int) -> None:
        somebody = everybody[number]
        for _ in range(30):
            if number < WORKERS:
                somebody.work()
            else:
                somebody.disturb()
            if number == 0:
                assert broken_invariants(dba) == {}

    at_once(WORKERS + OTHERS, live)

    assert broken_invariants(dba) == {}
    assert_history_is_whole(dba)
    told = sum((somebody.told for somebody in everybody), Counter())
    assert {"claimed", "RR027", "RR020"} <= set(told)
    finished_runs = [run for somebody in everybody for run in somebody.finished]
    assert [run for run, times in Counter(finished_runs).items() if times > 1] == []

    # Those that were left by the dead are taken over, and the rest is worked off.
    dba.execute("update pgreprise.claim set lease_until = clock_timestamp() - interval '1 s' where ended_at is null")
    last = Somebody(connect(), 1000, batches)
    for _ in range(40):
        for claimed in claims(dba, "the last one", max_reports=100):
            last.finish(claimed)
    left = dba.execute("select id, status from public.report_outputs where status in ('pending', 'running')").fetchall()
    assert left == []
    assert dba.execute("select from pgreprise.claim where ended_at is null").fetchall() == []
    assert dba.execute("select from pgreprise.retry").fetchall() == []
    assert broken_invariants(dba) == {}
    # What stands was written by the claim that finished it, by its run's only one.
    strange = dba.execute(
        "select stored.id, stored.output from public.report_outputs as stored "
        "left join pgreprise.restored_run as restored on restored.row_kind = 'report' "
        "and restored.row_id = stored.id and restored.run_sequence = stored.run_sequence "
        "where stored.output ->> 'claim' is not null and not exists (select from pgreprise.claim as claim "
        "where claim.claim_id::text = stored.output ->> 'claim' and claim.ended_as = 'complete' "
        "and claim.report_id = stored.id "
        "and claim.run_sequence in (stored.run_sequence, restored.restores_run))"
    ).fetchall()
    assert strange == []
