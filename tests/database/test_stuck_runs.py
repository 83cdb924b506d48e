"""Runs that nobody computes any more are released, and runs that nobody wants any more are cancelled."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.claims import FROZEN, age, claim, claim_row, claims, finish, status_of
from tests.support.databases import Connection
from tests.support.factories import add_economy_report, add_report, add_simulation, set_versions
from tests.support.refusals import refuses
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
