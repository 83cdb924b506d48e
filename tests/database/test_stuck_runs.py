"""Runs that nobody computes any more are released, and runs that nobody wants any more are cancelled."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.claims import FROZEN, age, claim, claim_row, claims, finish, status_of
from tests.support.concurrency import waiting_for_a_lock
from tests.support.databases import Connect, Connection
from tests.support.factories import add_economy_report, add_report, add_simulation, set_versions
from tests.support.refusals import refusal, refuses
from tests.support.snapshots import everything
from tests.support.statements import newest_act, one, rerun, undo


@pytest.fixture
def report(sandbox: Connection) -> int:
    """An economy report that was rerun, and so waits with both simulations."""
    set_versions(sandbox)
    made, _, _ = add_economy_report(sandbox)
    rerun(sandbox, made)
    return made


def cancel(connection: Connection, report_id: int, reason: str | None = None) -> dict[str, Any]:
    result: dict[str, Any] = one(connection, "select cancel_run(%s, %s) as result", report_id, reason)["result"]
    return result


def release(connection: Connection, arguments: str = "interval '1 hour'") -> list[tuple[Any, ...]]:
    rows = connection.execute(f"select * from release_stuck_runs({arguments})").fetchall()  # noqa: S608
    return [(row["report_id"], row["worker"], row["result"]) for row in rows]


# --- cancelling ------------------------------------------------------------------------------


def test_a_run_that_nobody_computes_ends_at_once(sandbox: Connection, report: int) -> None:
    result = cancel(sandbox, report, "wrong year")

    act = newest_act(sandbox)
    assert result == {
        "report_id": report,
        "run_sequence": 2,
        "status": "error",
        "cancel_requested": False,
        "lease_until": None,
        "rerun_id": act["rerun_id"],
    }
    assert (act["kind"], act["report_id"], act["of_run"], act["reason"]) == ("cancel_run", report, 2, "wrong year")
    stored = one(sandbox, "select status, output, error_message from get_report(%s)", report)
    assert stored == {"status": "error", "output": None, "error_message": "The run was cancelled: wrong year."}
    assert one(sandbox, "select status from report_history(%s)", report)["status"] == "cancelled"
    assert claims(sandbox) == []


def test_a_claimed_run_ends_when_its_worker_hears_of_it(sandbox: Connection, report: int) -> None:
    claimed = claim(sandbox)
    lease_until = claim_row(sandbox, claimed)["lease_until"]

    result = cancel(sandbox, report, "wrong year")
    told = one(sandbox, "select * from heartbeat_claim(%s, interval '1 hour')", claimed["claim_id"])

    assert (result["status"], result["cancel_requested"]) == ("running", True)
    assert (told["cancel_requested"], told["lease_until"]) == (True, lease_until), "a cancelled lease is not renewed"
    with refuses(sandbox, "RR027", f"The claim of report #{report}, run 2, attempt 1 is over: cancelled, wrong year."):
        sandbox.execute("select * from finish_report(%s, '1')", (claimed["claim_id"],))
    sandbox.execute("select release_claim(%s)", (claimed["claim_id"],))
    assert claim_row(sandbox, claimed)["ended_as"] == "cancelled"
    assert one(sandbox, "select status from report_history(%s)", report)["status"] == "cancelled"
    assert status_of(sandbox, "simulations", claimed["simulations"][0]["simulation_id"]) == "pending"


def test_a_cancelled_run_whose_worker_is_silent_ends_with_the_lease(sandbox: Connection, report: int) -> None:
    claimed = claim(sandbox)
    cancel(sandbox, report)
    age(sandbox, claimed)

    assert claims(sandbox) == []

    stored = one(sandbox, "select status, error_message from get_report(%s)", report)
    assert stored == {"status": "error", "error_message": "The run was cancelled."}
    assert claim_row(sandbox, claimed)["ended_as"] == "cancelled"


def test_a_run_is_cancelled_once(sandbox: Connection, report: int) -> None:
    first = cancel(sandbox, report, "wrong year")
    before = everything(sandbox)

    assert cancel(sandbox, report, "another reason") == first
    assert everything(sandbox) == before


def test_a_finished_run_cannot_be_cancelled(sandbox: Connection, report: int) -> None:
    finish(sandbox, claim(sandbox))

    with refuses(sandbox, "RR020", f"Report #{report} is at status complete: there is no run to cancel."):
        sandbox.execute("select cancel_run(%s)", (report,))
    with refuses(sandbox, "RR001"):
        sandbox.execute("select cancel_run(%s)", (report + 99,))
    with refuses(sandbox, "RR001"):
        sandbox.execute("select cancel_run(%s, country_id => 'uk')", (report,))


def test_a_rerun_goes_on_after_a_cancellation_and_the_cancellation_is_no_undo(sandbox: Connection, report: int) -> None:
    act = cancel(sandbox, report)["rerun_id"]
    with refuses(sandbox, "RR014", f"Act #{act} cancelled or released a run and cleared nothing. It cannot be undone."):
        sandbox.execute("call undo_rerun(%s)", (act,))

    later = rerun(sandbox, report)["rerun_id"]
    finish(sandbox, claim(sandbox))
    assert [row["status"] for row in sandbox.execute("select status from report_history(%s)", (report,))] == [
        "complete",
        "cancelled",
        "complete",
    ]
    undo(sandbox, later, force=True)
    assert one(sandbox, "select status from report_history(%s)", report)["status"] == "cancelled"


def test_a_retry_that_waits_can_be_cancelled(sandbox: Connection, report: int) -> None:
    claimed = claim(sandbox)
    sandbox.execute("select * from fail_report(%s, 'no', interval '1 hour')", (claimed["claim_id"],))

    assert cancel(sandbox, report)["status"] == "error"
    assert one(sandbox, "select count(*) as n from pgreprise.retry")["n"] == 0


# --- releasing -------------------------------------------------------------------------------


def running_since(connection: Connection, report_id: int, interval: str | None) -> None:
    """A worker that does not claim has begun a report, so long ago; null where nobody knows when."""
    if interval is None:
        connection.execute("update report_outputs set status = 'running' where id = %s", (report_id,))
        return
    connection.execute("select update_report(%s, status => 'running')", (report_id,))
    connection.execute(
        "update pgreprise.run_time set started_at = started_at - %s::interval where row_id = %s", (interval, report_id)
    )


def test_a_report_that_runs_for_too_long_is_released_with_its_simulations(sandbox: Connection, report: int) -> None:
    running_since(sandbox, report, "2 hours")
    simulation = one(sandbox, "select simulation_1_id as id from report_outputs where id = %s", report)["id"]
    sandbox.execute("select update_simulation(%s, status => 'running')", (simulation,))

    assert release(sandbox, "interval '3 hours'") == []
    assert release(sandbox, "interval '1 hour', dry_run => true") == [(report, None, "to be released")]
    assert status_of(sandbox, "report_outputs", report) == "running"
    assert release(sandbox) == [(report, None, "released")]

    assert status_of(sandbox, "report_outputs", report) == "pending"
    assert status_of(sandbox, "simulations", simulation) == "pending"
    act = newest_act(sandbox)
    assert (act["kind"], act["report_id"], act["of_run"]) == ("release_run", report, 2)
    assert release(sandbox) == []


def test_a_report_of_which_nobody_knows_since_when_it_runs_is_listed_and_never_released(sandbox: Connection) -> None:
    report = add_report(sandbox, add_simulation(sandbox))
    running_since(sandbox, report, None)

    assert release(sandbox) == [(report, None, "unknown since when")]
    assert status_of(sandbox, "report_outputs", report) == "running"


def test_a_claim_whose_lease_is_over_is_released_too(sandbox: Connection, report: int) -> None:
    claimed = claim(sandbox)
    assert release(sandbox, "interval '0'") == [], "a claim that is good is nobody's business"
    age(sandbox, claimed)

    assert release(sandbox, "interval '1 hour', dry_run => true") == [(report, "worker 1", "lease over")]
    assert claim_row(sandbox, claimed)["ended_at"] is None
    assert release(sandbox) == [(report, "worker 1", "lost, pending")]


def test_no_more_are_released_than_asked_for_and_only_of_the_country(sandbox: Connection) -> None:
    set_versions(sandbox, "uk")
    of_uk = add_report(sandbox, add_simulation(sandbox, country_id="uk"), country_id="uk", status="pending")
    of_us = [add_report(sandbox, add_simulation(sandbox), status="pending") for _ in range(3)]
    for each in (of_uk, *of_us):
        running_since(sandbox, each, "2 hours")

    assert release(sandbox, "interval '1 hour', country_id => 'uk'") == [(of_uk, None, "released")]
    assert len(release(sandbox, "interval '1 hour', max_rows => 2")) == 2
    assert len(release(sandbox)) == 1


def test_a_run_that_the_application_refuses_to_change_keeps_no_other_from_being_released(sandbox: Connection) -> None:
    frozen, free = (add_report(sandbox, add_simulation(sandbox), status="pending", output=None) for _ in range(2))
    for each in (frozen, free):
        running_since(sandbox, each, "2 hours")
    sandbox.execute(FROZEN.format(id=frozen).encode())

    assert set(release(sandbox)) == {(frozen, None, "refused: it is frozen"), (free, None, "released")}
    assert status_of(sandbox, "report_outputs", frozen) == "running"


@pytest.mark.parametrize("arguments", ["null", "interval '-1 s'", "interval '1 h', 0", "interval '1 h', 10001"])
def test_an_impossible_release_is_refused(sandbox: Connection, arguments: str) -> None:
    with refuses(sandbox, "RR016"):
        release(sandbox, arguments)


def test_open_claims_are_listed_in_pages_and_without_their_ids(sandbox: Connection) -> None:
    made = [add_report(sandbox, add_simulation(sandbox), status="pending", output=None) for _ in range(3)]
    claims(sandbox, "worker 7", max_reports=3)

    rows = sandbox.execute("select * from open_claims('us', %s, 1)", (made[0],)).fetchall()

    assert [(row["report_id"], row["worker"], row["ended_as"]) for row in rows] == [(made[1], "worker 7", None)]
    assert "claim_id" not in rows[0]
    with refuses(sandbox, "RR016", "max_rows must be between 1 and 1000."):
        sandbox.execute("select * from open_claims(max_rows => 1001)")


def test_a_run_that_was_cancelled_and_then_rerun_was_cancelled(sandbox: Connection, report: int) -> None:
    claimed = claim(sandbox)
    cancel(sandbox, report, "wrong year")
    later = rerun(sandbox, report)["rerun_id"]

    assert claim_row(sandbox, claimed)["ended_as"] == "cancelled"
    assert [row["status"] for row in sandbox.execute("select status from report_history(%s)", (report,))] == [
        "pending",
        "cancelled",
        "complete",
    ]
    undo(sandbox, later)
    assert status_of(sandbox, "report_outputs", report) == "error"


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_rerun_that_was_cancelled_or_lost_can_be_undone(sandbox: Connection, *, is_lost: bool) -> None:
    set_versions(sandbox)
    report, _, _ = add_economy_report(sandbox)
    act = rerun(sandbox, report)["rerun_id"]
    if is_lost:
        sandbox.execute("select set_setting('when_lost', 'fail')")
        age(sandbox, claim(sandbox))
        assert claims(sandbox) == []
    else:
        cancel(sandbox, report)
    assert status_of(sandbox, "report_outputs", report) == "error"

    undo(sandbox, act)

    assert status_of(sandbox, "report_outputs", report) == "complete"


# --- one run ---------------------------------------------------------------------------------


def release_one(connection: Connection, report_id: int, **arguments: Any) -> dict[str, Any]:
    named = "".join(f", {name} => %({name})s" for name in arguments)
    statement = f"select release_stuck_run(%(report_id)s{named}) as result"
    row = connection.execute(statement, {"report_id": report_id, **arguments}).fetchone()
    assert row is not None
    return dict(row["result"])


def test_a_run_whose_lease_is_over_is_released_by_itself(sandbox: Connection, report: int) -> None:
    claimed = claim(sandbox)
    age(sandbox, claimed)
    result = release_one(sandbox, report, country_id="us", run_sequence=2, reason=" the host was rebooted ")
    act = newest_act(sandbox)
    assert result == {
        "report_id": report,
        "run_sequence": 2,
        "status": "pending",
        "result": "lost",
        "worker": "worker 1",
        "rerun_id": act["rerun_id"],
    }
    assert (act["kind"], act["of_run"], act["reason"]) == ("release_run", 2, "the host was rebooted")
    assert claim_row(sandbox, claimed)["ended_as"] == "lost"
    assert status_of(sandbox, "simulations", claimed["simulations"][0]["simulation_id"]) == "pending"
    assert claim(sandbox)["attempt"] == 2


def test_a_run_without_a_claim_is_released_however_long_it_has_been_running(sandbox: Connection, report: int) -> None:
    first = one(sandbox, "select simulation_1_id as id from get_report(%s)", report)["id"]
    sandbox.execute("select update_report(%s, status => 'running')", (report,))
    sandbox.execute("select update_simulation(%s, status => 'running')", (first,))
    result = release_one(sandbox, report, reason="why")
    assert (result["status"], result["result"], result["worker"]) == ("pending", "released", None)
    assert newest_act(sandbox)["reason"] == "why"
    assert status_of(sandbox, "simulations", first) == "pending"


def test_a_cancelled_run_whose_worker_is_silent_ends_when_it_is_released(sandbox: Connection, report: int) -> None:
    claimed = claim(sandbox)
    cancel(sandbox, report, "wrong year")
    age(sandbox, claimed)
    result = release_one(sandbox, report)
    assert (result["status"], result["result"]) == ("error", "cancelled")
    assert one(sandbox, "select status from report_history(%s)", report)["status"] == "cancelled"


def test_a_run_that_lost_too_many_workers_is_error(sandbox: Connection, report: int) -> None:
    sandbox.execute("select set_setting('lost_attempts', '1')")
    age(sandbox, claim(sandbox))
    assert (release_one(sandbox, report)["status"], newest_act(sandbox)["kind"]) == ("error", "release_run")


def test_a_run_that_a_worker_computes_is_not_released(sandbox: Connection, report: int) -> None:
    claimed = claim(sandbox)
    until = one(
        sandbox,
        "select to_char(lease_until at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as at from pgreprise.claim "
        "where claim_id = %s",
        claimed["claim_id"],
    )["at"]
    said = refusal(sandbox, "select release_stuck_run(%s)", report)
    assert said.code == "RR032"
    assert said.message is not None
    assert said.message.startswith(f"Worker worker 1 computes report #{report}, and its lease is good until {until}")
    assert said.detail is not None
    assert (said.detail["worker"], said.detail["run_sequence"], said.detail["status"]) == ("worker 1", 2, "running")
    assert said.hint == f"Nothing was changed. To end the run, cancel it instead: select cancel_run({report})"


@pytest.mark.parametrize("status", ["pending", "complete", "error"])
def test_a_report_that_is_not_running_is_not_released(sandbox: Connection, report: int, status: str) -> None:
    if status != "pending":
        result = {"complete": "output => '1'", "error": "error_message => 'no'"}[status]
        sandbox.execute(f"select update_report({report}, status => '{status}', {result})".encode())
    said = refusal(sandbox, "select release_stuck_run(%s)", report)
    assert said[:2] == ("RR032", f"Report #{report} is at status {status}: there is no run to release.")
    assert said.hint == "Nothing was changed. Only a run that is running, and that nobody computes, can be released."


@pytest.mark.parametrize("routine", ["cancel_run", "release_stuck_run"])
def test_an_act_on_a_run_that_is_over_is_refused(sandbox: Connection, report: int, routine: str) -> None:
    sandbox.execute("select update_report(%s, status => 'running')", (report,))
    for named in (1, 3, 2**40):
        said = refusal(sandbox, f"select {routine}(%s, run_sequence => %s)", report, named)
        assert said[:3] == (
            "RR020",
            f"Report #{report} is at run 2, and not at run {named} any more.",
            {"report_id": report, "run_sequence": named, "current_run_sequence": 2, "status": "running"},
        )
    made = one(sandbox, f"select {routine}(%s, run_sequence => 2) as result", report)["result"]
    assert made["run_sequence"] == 2


def test_what_is_released_is_a_report_of_that_country(sandbox: Connection, report: int) -> None:
    with refuses(sandbox, "RR001"):
        release_one(sandbox, report + 99)
    with refuses(sandbox, "RR001"):
        release_one(sandbox, report, country_id="uk")
    with refuses(sandbox, "RR008"):
        release_one(sandbox, report, country_id="zz")
    with refuses(sandbox, "RR016"):
        release_one(sandbox, report, reason="x" * 1001)


def test_a_trigger_of_the_application_that_keeps_the_report_refuses_its_release(
    sandbox: Connection, report: int
) -> None:
    age(sandbox, claim(sandbox))
    sandbox.execute(FROZEN.format(id=report).encode())
    with refuses(sandbox, "23514"):
        release_one(sandbox, report)


@pytest.mark.parametrize("table", ["report_outputs", "simulations"])
def test_a_release_waits_for_a_row_and_names_it(dba: Connection, connect: Connect, table: str) -> None:
    set_versions(dba)
    made, first, _ = add_economy_report(dba)
    rerun(dba, made)
    age(dba, claim(dba))
    holder, caller = connect(), connect(role="pgreprise_api")
    holder.execute("begin")
    row = made if table == "report_outputs" else first
    holder.execute(f"select from public.{table} where id = %s for update", (row,))
    with waiting_for_a_lock(dba, caller, "select release_stuck_run(%s)", made):
        holder.execute("rollback")
    assert status_of(dba, "report_outputs", made) == "pending"

    age(dba, claim(dba))
    holder.execute("begin")
    holder.execute(f"select from public.{table} where id = %s for update", (row,))
    caller.execute("set lock_timeout = '100ms'")
    said = refusal(caller, "select release_stuck_run(%s)", made, look=lambda _: everything(dba))
    assert said.code == "55P03"
    assert str(said.message).startswith(f"Row {row} of {table} is locked by process {holder.info.backend_pid}")
