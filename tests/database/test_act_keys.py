"""An undo, a cancellation, a release and a batch are done once for each idempotency key, and a key is of one thing."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel

from tests.support.claims import age, claim
from tests.support.concurrency import CALLERS, LEVELS, at_once, connections, waiting_for_a_lock
from tests.support.databases import Connect, Connection
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.refusals import refusal
from tests.support.snapshots import everything
from tests.support.statements import newest_act, one, rerun

UNDO = "call undo_rerun(%s::bigint, idempotency_key => %s)"
CANCEL = "select cancel_run(%s, idempotency_key => %s) as result"
RELEASE = "select release_stuck_run(%s, idempotency_key => %s) as result"
BATCH = "select create_rerun_batch(%s::jsonb, idempotency_key => %s) as result"
US = '{"country": "us"}'


def done(connection: Connection, statement: str, *arguments: Any) -> Any:
    return one(connection, statement, *arguments)["result"]


@pytest.fixture
def report(sandbox: Connection) -> int:
    """A computed economy report with a row of its cache, which was rerun once, as act 1."""
    set_versions(sandbox)
    add_reform_impact(sandbox)
    report = add_economy_report(sandbox)[0]
    rerun(sandbox, report)
    return report


@pytest.fixture
def act(sandbox: Connection, report: int) -> int:  # noqa: ARG001
    return int(newest_act(sandbox)["rerun_id"])


# --- an undo ---------------------------------------------------------------------------------


def test_the_same_key_gives_the_first_undo_and_changes_nothing(sandbox: Connection, report: int, act: int) -> None:
    first = done(sandbox, UNDO, act, "k")
    assert (first["run_sequence"], first["economy_cache_rows_restored"]) == (3, 1)
    assert newest_act(sandbox)["idempotency_key"] == "k"
    before = everything(sandbox)
    assert done(sandbox, UNDO, act, "k") == first
    assert everything(sandbox) == before
    rerun(sandbox, report)
    sandbox.execute("delete from public.simulations")
    before = everything(sandbox)
    assert done(sandbox, UNDO, act, "k") == first
    assert everything(sandbox) == before


def test_another_key_does_not_undo_twice(sandbox: Connection, act: int) -> None:
    done(sandbox, UNDO, act, "k")
    assert refusal(sandbox, UNDO, act, "k2").code == "RR014"
    assert refusal(sandbox, UNDO, act, None).code == "RR014"


def test_a_refused_undo_leaves_its_key_free(sandbox: Connection, report: int, act: int) -> None:
    sandbox.execute("select update_report(%s, status => 'complete', output => '1')", (report,))
    assert refusal(sandbox, UNDO, act, "k").code == "RR010"
    assert done(sandbox, "call undo_rerun(%s::bigint, true, idempotency_key => %s)", act, "k")["run_sequence"] == 3


def test_a_single_step_is_undone_once_for_its_key(sandbox: Connection, report: int) -> None:
    simulation = one(sandbox, "select simulation_1_id as id from get_report(%s)", report)["id"]
    sandbox.execute("select reset_simulation(%s)", (simulation,))
    step = newest_act(sandbox)["rerun_id"]
    first = done(sandbox, UNDO, step, "k")
    assert (first["report_id"], first["simulation_ids"]) == (None, [simulation])
    assert done(sandbox, UNDO, step, "k") == first


@pytest.mark.parametrize("key", ["", "x" * 256])
@pytest.mark.parametrize("call", [UNDO, CANCEL, RELEASE, BATCH])
def test_a_key_of_another_length_is_rr016(sandbox: Connection, report: int, act: int, call: str, key: str) -> None:
    target = {UNDO: act, BATCH: US}.get(call, report)
    said = refusal(sandbox, call, target, key)
    assert said[:3] == ("RR016", "An idempotency key has 1 to 255 characters.", {"length": len(key)})


# --- a cancellation and a release ------------------------------------------------------------


def test_the_same_key_gives_the_first_cancellation(sandbox: Connection, report: int) -> None:
    first = done(sandbox, CANCEL, report, "k")
    assert (first["run_sequence"], first["status"]) == (2, "error")
    rerun(sandbox, report)
    before = everything(sandbox)
    # It is of run 2; run 3 goes on.
    assert done(sandbox, CANCEL, report, "k") == first
    assert everything(sandbox) == before
    assert done(sandbox, CANCEL, report, "k2")["run_sequence"] == 3


def test_a_new_key_for_a_run_that_is_cancelled_names_the_act_of_that(sandbox: Connection, report: int) -> None:
    first = done(sandbox, CANCEL, report, None)
    assert done(sandbox, CANCEL, report, "k") == first
    rerun(sandbox, report)
    assert done(sandbox, CANCEL, report, "k") == first


def test_the_same_key_gives_the_first_release(sandbox: Connection, report: int) -> None:
    claimed = claim(sandbox, report)
    age(sandbox, claimed)
    first = done(sandbox, RELEASE, report, "k")
    assert (first["result"], first["worker"], first["status"]) == ("lost", "worker 1", "pending")
    before = everything(sandbox)
    assert done(sandbox, RELEASE, report, "k") == first
    assert everything(sandbox) == before
    assert refusal(sandbox, RELEASE, report, "k2").code == "RR032"


# --- a batch ---------------------------------------------------------------------------------


def test_the_same_key_gives_the_first_batch_whatever_has_become_of_it(sandbox: Connection, report: int) -> None:
    first = done(sandbox, BATCH, US, "k")
    before = everything(sandbox)
    assert done(sandbox, BATCH, US, "k") == first
    assert everything(sandbox) == before
    sandbox.execute("select rerun_batch_chunk(%s)", (first,))
    add_report(sandbox, add_simulation(sandbox))
    before = everything(sandbox)
    assert done(sandbox, BATCH, US, "k") == first
    assert done(sandbox, "select create_rerun_batch(%s, 'why', 7, 'x', 'k') as result", US) == first
    assert everything(sandbox) == before
    assert done(sandbox, BATCH, f'{{"ids": [{report}]}}', "k2") > first


def test_the_key_of_a_batch_with_another_filter_is_rr012(sandbox: Connection, report: int) -> None:
    first = done(sandbox, BATCH, US, "k")
    for other in (f'{{"ids": [{report}]}}', None):
        said = refusal(sandbox, BATCH, other, "k")
        assert said[:3] == (
            "RR012",
            f"This idempotency key was used for batch #{first}, which has another filter.",
            {"batch_id": first},
        )
        assert said.hint == "Nothing was changed. Use a new key for each batch."


def test_a_refused_batch_leaves_its_key_free(sandbox: Connection, report: int) -> None:  # noqa: ARG001
    wrong = "select create_rerun_batch(%s, expected_reports => 7, idempotency_key => 'k')"
    assert refusal(sandbox, wrong, US).code == "RR024"
    assert done(sandbox, BATCH, US, "k")


def test_a_batch_is_cancelled_once_by_one_person(dba: Connection, connect: Connect) -> None:
    set_versions(dba)
    add_economy_report(dba)
    made = done(dba, BATCH, US, None)
    cancel = "select cancel_rerun_batch(%s, 'why') as result"
    alice = """set request.jwt.claims = '{"sub": "alice", "scope": "reports:rerun"}'"""
    other = connect(role="pgreprise_api")
    other.execute(alice)
    assert done(other, cancel, made) == 1
    before = everything(dba)
    assert done(other, cancel, made) == 1
    assert everything(dba) == before
    said = refusal(dba, cancel, made)
    assert said.code == "RR025"
    assert said.message is not None
    assert said.message.endswith(" by alice.")


# --- one key for two things ------------------------------------------------------------------


def test_a_key_is_of_one_kind_of_act(sandbox: Connection, report: int, act: int) -> None:
    calls = {
        "rerun": ("call rerun_report(%s::bigint, idempotency_key => %s)", report),
        "undo": (UNDO, act),
        "cancel": (CANCEL, report),
        "release": (RELEASE, report),
        "batch": (BATCH, US),
    }
    words = {
        "rerun": f"the rerun of report #{report}",
        "undo": f"the undo of rerun #{act}",
        "cancel": f"cancelling report #{report}",
        "release": f"releasing report #{report}",
        "batch": "a new batch",
    }
    for used, (call, target) in calls.items():
        if used == "release":
            sandbox.execute("update public.report_outputs set status = 'running'")
        elif used == "undo":
            target = newest_act(sandbox)["rerun_id"]
            words["undo"] = f"the undo of rerun #{target}"
            calls["undo"] = (call, target)
        elif used == "cancel":
            rerun(sandbox, report)
        made = done(sandbox, call, target, used)
        if used == "batch":
            words["batch"] = f"batch #{made}"
        for wanted in calls.keys() - {used}:
            said = refusal(sandbox, *calls[wanted], used)
            assert said.code == "RR012"
            was = words[used]
            wants = "a new batch" if wanted == "batch" else words[wanted]
            assert said.message == f"This idempotency key was used for {was}, not for {wants}."


@pytest.mark.parametrize("call", [CANCEL, RELEASE])
def test_the_key_of_another_report_is_rr012(sandbox: Connection, report: int, call: str) -> None:
    other = add_report(sandbox, add_simulation(sandbox), status="running", output=None)
    sandbox.execute("update public.report_outputs set status = 'running'")
    first = done(sandbox, call, report, "k")
    said = refusal(sandbox, call, other, "k")
    assert said[:3] == (
        "RR012",
        f"This idempotency key was used for report #{report}, not for report #{other}.",
        {"report_id": other, "used_for_report_id": report, "rerun_id": first["rerun_id"]},
    )


def test_the_key_of_another_undo_is_rr012(sandbox: Connection, report: int, act: int) -> None:
    later = rerun(sandbox, report)["rerun_id"]
    undone = done(sandbox, UNDO, later, "k")["undo_id"]
    said = refusal(sandbox, UNDO, act, "k")
    assert said[:2] == ("RR012", f"This idempotency key was used for rerun #{later}, not for rerun #{act}.")
    assert said.detail == {
        "kind": "undo",
        "id": act,
        "used_for_kind": "undo",
        "used_for_id": later,
        "made_id": undone,
    }


# --- at the same moment ----------------------------------------------------------------------


@pytest.fixture
def rows(dba: Connection) -> Connection:
    """Report 1, an economy report with a row of its cache, and report 2 of one of its simulations."""
    set_versions(dba)
    _, first, _ = add_economy_report(dba)
    add_report(dba, first)
    add_reform_impact(dba)
    return dba


def until_nobody_is_in_the_way(connection: Connection, statement: str, *arguments: Any) -> Any:
    """Call as DESIGN asks of callers at the stricter levels, or say with which code it was refused."""
    while True:
        try:
            with connection.transaction():
                connection.execute("select from get_report(1)")
                return done(connection, statement, *arguments)
        except psycopg.errors.SerializationFailure:
            continue
        except psycopg.Error as error:
            return error.sqlstate or "no code"


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
@pytest.mark.parametrize("kind", ["undo", "cancel", "release", "batch"])
def test_callers_with_one_key_at_one_moment_do_it_once(
    rows: Connection, connect: Connect, kind: str, level: IsolationLevel
) -> None:
    callers = connections(connect, CALLERS, level)
    for number in range(4):
        act = rerun(rows, 1)["rerun_id"]
        if kind == "release":
            rows.execute("update public.report_outputs set status = 'running' where id = 1")
        call, target = {"undo": (UNDO, act), "cancel": (CANCEL, 1), "release": (RELEASE, 1), "batch": (BATCH, US)}[kind]
        before = one(rows, "select count(*) as acts from pgreprise.rerun")["acts"]
        results = at_once(
            CALLERS,
            lambda caller, number=number, call=call, target=target: until_nobody_is_in_the_way(
                callers[caller], call, target, f"key {number}"
            ),
        )
        assert results == [results[0]] * CALLERS
        assert isinstance(results[0], int if kind == "batch" else dict)
        acts = one(rows, "select count(*) as acts from pgreprise.rerun")["acts"]
        assert acts == before + (kind != "batch")
    batches = one(rows, "select count(*) as batches from pgreprise.rerun_batch")["batches"]
    assert batches == (4 if kind == "batch" else 0)


def test_callers_with_one_key_for_acts_of_two_kinds_never_deadlock(rows: Connection, connect: Connect) -> None:
    callers = connections(connect, CALLERS)
    for number in range(10):
        act = rerun(rows, 1)["rerun_id"]
        calls = ((UNDO, act), (CANCEL, 1), ("call rerun_report(%s::bigint, idempotency_key => %s)", 1), (BATCH, US))
        results = at_once(
            CALLERS,
            lambda caller, number=number, calls=calls: until_nobody_is_in_the_way(
                callers[caller], *calls[caller % 4], f"key {number}"
            ),
        )
        assert {result for result in results if isinstance(result, str)} <= {"RR012", "RR010"}
        assert {caller % 4 for caller, result in enumerate(results) if not isinstance(result, str)}


def test_the_second_undo_waits_for_the_first_and_gets_its_result(rows: Connection, connect: Connect) -> None:
    act = rerun(rows, 1)["rerun_id"]
    rows.execute("begin")
    first = done(rows, UNDO, act, "k")
    with waiting_for_a_lock(connect(), connect(role="pgreprise_api"), UNDO, act, "k") as second:
        rows.execute("commit")
    assert second.result().fetchall() == [{"result": first}]


def test_the_second_batch_is_made_when_the_first_is_rolled_back(rows: Connection, connect: Connect) -> None:
    rows.execute("begin")
    done(rows, BATCH, US, "k")
    with waiting_for_a_lock(connect(), connect(role="pgreprise_api"), BATCH, US, "k") as second:
        rows.execute("rollback")
    [row] = second.result().fetchall()
    assert one(rows, "select count(*) as batches, max(batch_id) as id from pgreprise.rerun_batch") == {
        "batches": 1,
        "id": row["result"],
    }
