"""Workers claim pending reports: nobody else gets them, and a worker that is lost loses them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.claims import FROZEN, age, claim, claim_row, claims, finish, lose, status_of
from tests.support.databases import Connection
from tests.support.factories import add_economy_report, add_report, add_simulation, set_versions
from tests.support.refusals import refuses
from tests.support.snapshots import changed_tables, everything
from tests.support.statements import newest_act, one, rerun, undo


@pytest.fixture
def report(sandbox: Connection) -> int:
    """An economy report that was rerun, and so waits with both simulations."""
    set_versions(sandbox)
    made, _, _ = add_economy_report(sandbox)
    rerun(sandbox, made)
    return made


# --- claiming --------------------------------------------------------------------------------


def test_a_claim_tells_what_is_to_be_computed(sandbox: Connection, report: int) -> None:
    [claimed] = claims(sandbox, "worker 1", lease="90 s")

    first, second = (item["simulation_id"] for item in claimed["simulations"])
    assert {
        name: claimed[name]
        for name in ("report_id", "country_id", "run_sequence", "attempt", "worker", "report_type", "year", "region")
    } == {
        "report_id": report,
        "country_id": "us",
        "run_sequence": 2,
        "attempt": 1,
        "worker": "worker 1",
        "report_type": "geography",
        "year": "2025",
        "region": "state/ny",
    }
    assert 80 < claimed["lease_seconds_left"] <= 90
    assert claimed["simulations"] == [
        {
            "simulation_id": simulation_id,
            "run_sequence": 2,
            "status": "running",
            "policy_id": policy_id,
            "population_id": "state/ny",
            "population_type": "geography",
            "computes": True,
        }
        for simulation_id, policy_id in ((first, 2), (second, 3))
    ]
    assert status_of(sandbox, "report_outputs", report) == "running"
    assert [status_of(sandbox, "simulations", each) for each in (first, second)] == ["running", "running"]


def test_a_claimed_report_is_given_to_nobody_else(sandbox: Connection, report: int) -> None:
    claim(sandbox)

    assert claims(sandbox, "worker 2") == []
    assert claims(sandbox, "worker 2", report_id=report) == []


def test_the_report_with_the_smallest_id_is_claimed_first(sandbox: Connection) -> None:
    wanted = [add_report(sandbox, add_simulation(sandbox), status="pending", output=None) for _ in range(3)]

    assert [claimed["report_id"] for claimed in claims(sandbox, max_reports=2)] == wanted[:2]
    assert claim(sandbox)["report_id"] == wanted[2]


def test_a_claim_keeps_to_its_country_and_type(sandbox: Connection) -> None:
    of_us = add_report(sandbox, add_simulation(sandbox), status="pending", output=None)
    household = add_report(sandbox, add_simulation(sandbox, population_type="household"), status="pending", output=None)
    set_versions(sandbox, "uk")
    of_uk = add_report(
        sandbox, add_simulation(sandbox, country_id="uk"), country_id="uk", status="pending", output=None
    )

    assert claims(sandbox, country_id="uk", report_type="household") == []
    assert [each["report_id"] for each in claims(sandbox, country_id="uk")] == [of_uk]
    assert [each["report_id"] for each in claims(sandbox, report_type="household")] == [household]
    assert [each["report_id"] for each in claims(sandbox)] == [of_us]


def test_reports_that_share_a_simulation_wait_until_it_is_finished(sandbox: Connection) -> None:
    shared = add_simulation(sandbox, status="pending", output=None)
    first = add_report(sandbox, shared, status="pending", output=None)
    second = add_report(sandbox, shared, status="pending", output=None)
    claimed = claim(sandbox, first)
    assert claims(sandbox, report_id=second) == []

    sandbox.execute("select * from finish_simulation(%s, %s, '1')", (claimed["claim_id"], shared))

    [later] = claims(sandbox)
    assert later["report_id"] == second
    assert [(item["status"], item["computes"]) for item in later["simulations"]] == [("complete", False)]


def test_a_report_that_cannot_be_computed_ends_as_an_error(sandbox: Connection) -> None:
    broken = add_report(sandbox, 999_999, status="pending", output=None)
    whole = add_report(sandbox, add_simulation(sandbox), status="pending", output=None)

    assert [each["report_id"] for each in claims(sandbox)] == [whole]

    stored = one(sandbox, "select status, error_message from report_outputs where id = %s", broken)
    assert stored["status"] == "error"
    assert stored["error_message"] == (
        "Report references simulation #999999, but it could not be found for country us. (RR002)"
    )


def test_a_country_without_a_cache_version_can_be_computed(sandbox: Connection) -> None:
    wanted, _, _ = add_economy_report(sandbox, status="pending", output=None)

    assert claim(sandbox)["report_id"] == wanted


def test_a_claim_has_the_specification_of_the_report_where_the_table_has_one(sandbox: Connection) -> None:
    spec = {"dataset": "default"}
    wanted = [
        add_report(sandbox, add_simulation(sandbox), status="pending", output=None, report_spec_json=spec)
        for _ in range(2)
    ]

    assert claim(sandbox, wanted[0])["report_spec_json"] == spec
    sandbox.execute("alter table report_outputs drop column report_spec_json")
    assert claim(sandbox, wanted[1])["report_spec_json"] is None


@pytest.mark.usefixtures("report")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"worker": " "}, "A worker needs a name of 1 to 200 characters."),
        ({"worker": "w" * 201}, "A worker needs a name of 1 to 200 characters."),
        ({"max_reports": 0}, "max_reports must be between 1 and 100."),
        ({"max_reports": 101}, "max_reports must be between 1 and 100."),
        ({"report_type": "nation"}, 'Report type "nation" is neither household nor geography.'),
        ({"lease": "0.5 s"}, "A lease must be between 1 second and 1 day."),
        ({"lease": "25 h"}, "A lease must be between 1 second and 1 day."),
        ({"lease": None}, "A lease must be between 1 second and 1 day."),
    ],
)
def test_a_claim_that_cannot_be_is_refused(sandbox: Connection, arguments: dict[str, Any], message: str) -> None:
    with refuses(sandbox, "RR016", message):
        claims(sandbox, **{"worker": "worker 1", **arguments})


def test_a_report_that_does_not_exist_cannot_be_claimed(sandbox: Connection, report: int) -> None:
    with refuses(sandbox, "RR001", f"Report #{report + 1} not found."):
        claims(sandbox, report_id=report + 1)
    set_versions(sandbox, "uk")
    with refuses(sandbox, "RR001", f"Report #{report} not found."):
        claims(sandbox, report_id=report, country_id="uk")


# --- finishing -------------------------------------------------------------------------------


def test_a_worker_finishes_the_simulations_and_then_the_report(sandbox: Connection, report: int) -> None:
    claimed = claim(sandbox)

    finish(sandbox, claimed, {"budget": 9})

    stored = one(sandbox, "select * from get_report(%s)", report)
    assert (stored["status"], stored["output"], stored["error_message"]) == ("complete", {"budget": 9}, None)
    assert [status_of(sandbox, "simulations", each["simulation_id"]) for each in claimed["simulations"]] == [
        "complete",
        "complete",
    ]
    assert (claim_row(sandbox, claimed)["ended_as"], claim_row(sandbox, claimed)["counts"]) == ("complete", True)
    assert one(sandbox, "select count(*) as n from pgreprise.claim_simulation where open")["n"] == 0


def test_a_report_is_not_finished_before_its_simulations(sandbox: Connection, report: int) -> None:
    claimed = claim(sandbox)
    first, second = (item["simulation_id"] for item in claimed["simulations"])

    with refuses(sandbox, "RR031", f"Report #{report} cannot be finished before simulations #{first} and #{second}."):
        sandbox.execute("select * from finish_report(%s, '1')", (claimed["claim_id"],))


def test_the_very_same_result_sent_again_is_answered_with_what_is_stored(sandbox: Connection, report: int) -> None:
    claimed = claim(sandbox)
    finish(sandbox, claimed, {"a": 1, "b": 2})
    before = everything(sandbox)

    again = one(sandbox, "select * from finish_report(%s, %s)", claimed["claim_id"], '{"b": 2, "a": 1}')

    assert (again["status"], again["output"]) == ("complete", {"a": 1, "b": 2})
    assert changed_tables(before, everything(sandbox)) == set()
    with refuses(sandbox, "RR027", f"The claim of report #{report}, run 2, attempt 1 is over: complete."):
        sandbox.execute("select * from finish_report(%s, '3')", (claimed["claim_id"],))


@pytest.mark.usefixtures("report")
def test_a_failed_report_is_an_error_and_its_simulations_are_free(sandbox: Connection) -> None:
    claimed = claim(sandbox)

    failed = one(sandbox, "select * from fail_report(%s, 'no data')", claimed["claim_id"])

    assert (failed["status"], failed["error_message"], failed["output"]) == ("error", "no data", None)
    assert claim_row(sandbox, claimed)["ended_because"] == "no data"
    for item in claimed["simulations"]:
        assert status_of(sandbox, "simulations", item["simulation_id"]) == "pending"


def test_a_failed_report_can_be_tried_again_later(sandbox: Connection, report: int) -> None:
    claimed = claim(sandbox)

    failed = one(sandbox, "select * from fail_report(%s, 'no data yet', interval '5 minutes')", claimed["claim_id"])

    assert (failed["status"], failed["error_message"]) == ("pending", None)
    assert claims(sandbox) == []
    due = "select * from pgreprise.claim_reports('w', '60 s', null, null, null, 1, clock_timestamp() + %s::interval)"
    assert sandbox.execute(due, ("299 s",)).fetchall() == []
    [later] = sandbox.execute(due, ("301 s",)).fetchall()
    assert (later["report_id"], later["run_sequence"], later["attempt"]) == (report, 2, 2)


@pytest.mark.usefixtures("report")
@pytest.mark.parametrize(("message", "retry_after"), [("", None), (" ", None), (None, None), ("no data", "-1 s")])
def test_a_failure_needs_a_message(sandbox: Connection, message: str | None, retry_after: str | None) -> None:
    claimed = claim(sandbox)

    with refuses(sandbox, "RR016"):
        sandbox.execute("select * from fail_report(%s, %s, %s::interval)", (claimed["claim_id"], message, retry_after))


@pytest.mark.usefixtures("report")
def test_a_released_report_is_free_at_once_and_the_attempt_does_not_count(sandbox: Connection) -> None:
    claimed = claim(sandbox)

    sandbox.execute("select release_claim(%s)", (claimed["claim_id"],))
    sandbox.execute("select release_claim(%s)", (claimed["claim_id"],))

    assert (claim_row(sandbox, claimed)["ended_as"], claim_row(sandbox, claimed)["counts"]) == ("released", False)
    assert claim(sandbox, worker="worker 2")["attempt"] == 2


@pytest.mark.usefixtures("report")
def test_a_claim_that_does_not_exist_is_refused(sandbox: Connection) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    for statement in (
        "select * from heartbeat_claim(%s)",
        "select * from finish_report(%s, '1')",
        f"select * from finish_simulation(%s, {add_simulation(sandbox, status='running')}, '1')",  # noqa: S608
        "select * from fail_report(%s, 'no')",
        "select release_claim(%s)",
    ):
        with refuses(sandbox, "RR028", contains=f"There is no claim {unknown}"):
            sandbox.execute(statement, (unknown,))
        with refuses(sandbox, "RR028", contains="There is no claim null"):
            sandbox.execute(statement, (None,))


def test_a_claim_writes_only_its_own_simulations(sandbox: Connection, report: int) -> None:
    claimed = claim(sandbox)
    other = add_simulation(sandbox, status="pending", output=None)
    add_report(sandbox, other, id=report + 1, status="pending", output=None)

    with refuses(sandbox, "RR028", f"There is no claim {claimed['claim_id']} of simulation #{other}."):
        sandbox.execute("select * from finish_simulation(%s, %s, '1')", (claimed["claim_id"], other))
    with refuses(sandbox, "RR028", f"There is no claim {claimed['claim_id']} of report #{report + 1}."):
        sandbox.execute(
            "select * from update_report(%s, status => 'running', claim_id => %s)", (report + 1, claimed["claim_id"])
        )


# --- silence ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("report")
def test_a_heartbeat_renews_the_lease_and_tells_the_progress(sandbox: Connection) -> None:
    claimed = claim(sandbox)

    told = one(
        sandbox, "select * from heartbeat_claim(%s, interval '10 minutes', 0.25::real, 'reading')", claimed["claim_id"]
    )
    sandbox.execute("select * from heartbeat_claim(%s)", (claimed["claim_id"],))

    stored = claim_row(sandbox, claimed)
    assert told["cancel_requested"] is False
    assert 590 < told["lease_seconds_left"] <= 600
    assert (stored["progress"], stored["message"]) == (0.25, "reading")
    assert 599 < (stored["lease_until"] - stored["heartbeat_at"]).total_seconds() < 601


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_heartbeat_does_not_renew_the_lease_of_a_cancelled_run(
    sandbox: Connection, report: int, *, is_cancelled: bool
) -> None:
    claimed = claim(sandbox)
    if is_cancelled:
        sandbox.execute("select cancel_run(%s, 'enough')", (report,))
    age(sandbox, claimed)

    told = one(sandbox, "select * from heartbeat_claim(%s)", claimed["claim_id"])
    sandbox.execute("select from pgreprise.sweep_claims(10, clock_timestamp())")

    assert (told["cancel_requested"], told["lease_seconds_left"] < 0) == (is_cancelled, is_cancelled)
    assert claim_row(sandbox, claimed)["ended_as"] == ("cancelled" if is_cancelled else None)


def test_a_claimed_report_that_the_application_puts_back_to_pending_itself_is_given_to_nobody_else(
    sandbox: Connection, report: int
) -> None:
    claimed = claim(sandbox)
    sandbox.execute("update public.report_outputs set status = 'pending' where id = %s", (report,))
    sandbox.execute("update public.simulations set status = 'complete', output = '1'")
    sandbox.execute("update pgreprise.claim_simulation set computes = false")

    assert claims(sandbox, "worker 2") == []

    sandbox.execute("select * from finish_report(%s, '1')", (claimed["claim_id"],))
    assert status_of(sandbox, "report_outputs", report) == "complete"


def test_a_lost_worker_loses_its_report_to_the_next_one(sandbox: Connection, report: int) -> None:
    lost = claim(sandbox)
    age(sandbox, lost)

    taken = claim(sandbox, worker="worker 2")

    assert (taken["report_id"], taken["run_sequence"], taken["attempt"]) == (report, 2, 2)
    assert claim_row(sandbox, lost)["ended_as"] == "lost"
    over = (
        f"The claim of report #{report}, run 2, attempt 1 is over: lost, nothing was heard of worker worker 1 for "
        "longer than its lease."
    )
    for statement in (
        "select * from heartbeat_claim(%s)",
        "select * from finish_report(%s, '1')",
        f"select * from finish_simulation(%s, {lost['simulations'][0]['simulation_id']}, '1')",  # noqa: S608
        "select * from fail_report(%s, 'no')",
        "select release_claim(%s)",
    ):
        with refuses(sandbox, "RR027", over):
            sandbox.execute(statement, (lost["claim_id"],))
    finish(sandbox, taken)
    assert status_of(sandbox, "report_outputs", report) == "complete"


def test_a_lease_that_is_over_and_was_not_taken_may_still_finish(sandbox: Connection, report: int) -> None:
    claimed = claim(sandbox)
    age(sandbox, claimed)

    sandbox.execute("select * from heartbeat_claim(%s)", (claimed["claim_id"],))
    age(sandbox, claimed)
    finish(sandbox, claimed)

    assert status_of(sandbox, "report_outputs", report) == "complete"


def test_after_three_lost_attempts_a_report_is_an_error(sandbox: Connection, report: int) -> None:
    lose(sandbox, claim(sandbox))
    assert status_of(sandbox, "report_outputs", report) == "pending"
    lose(sandbox, claim(sandbox))
    assert claims(sandbox) == [], "the second retry waits"
    waits = one(sandbox, "select extract(epoch from retry_at - now()) as seconds from pgreprise.retry")["seconds"]
    assert 29 < waits <= 31
    sandbox.execute("update pgreprise.retry set retry_at = now()")
    lose(sandbox, claim(sandbox))

    stored = one(sandbox, "select status, error_message from report_outputs where id = %s", report)
    assert stored["status"] == "error"
    assert stored["error_message"] == (
        "The workers that computed this report were lost: 3 attempts, the last one was worker 1."
    )


def test_a_setting_lets_a_report_fail_with_its_first_lost_worker(sandbox: Connection, report: int) -> None:
    sandbox.execute("select set_setting('when_lost', 'fail')")

    lose(sandbox, claim(sandbox))

    assert status_of(sandbox, "report_outputs", report) == "error"


def test_a_lost_claim_of_a_deleted_report_does_not_stay_in_the_way(sandbox: Connection) -> None:
    for _ in range(7):
        add_report(sandbox, add_simulation(sandbox), status="pending", output=None)
    for claimed in claims(sandbox, max_reports=7):
        age(sandbox, claimed)
    sandbox.execute("delete from report_outputs")
    left = add_report(sandbox, add_simulation(sandbox), status="pending", output=None)
    lost = claim(sandbox, left)
    age(sandbox, lost, "1 second")

    assert claims(sandbox) == []
    [taken] = claims(sandbox)

    assert (taken["report_id"], taken["attempt"]) == (left, 2)


# --- what others do meanwhile ----------------------------------------------------------------


def test_a_rerun_ends_the_claim_of_its_report(sandbox: Connection, report: int) -> None:
    claimed = claim(sandbox)

    rerun(sandbox, report)

    assert claim_row(sandbox, claimed)["ended_as"] == "superseded"
    with refuses(sandbox, "RR027", contains=f"is over: superseded, report #{report} was rerun."):
        sandbox.execute("select * from heartbeat_claim(%s)", (claimed["claim_id"],))
    assert claim(sandbox)["run_sequence"] == 3


def test_an_undo_of_a_claimed_run_leaves_nothing_running(sandbox: Connection, report: int) -> None:
    claimed = claim(sandbox)
    act = rerun(sandbox, report)["rerun_id"]

    undo(sandbox, act)

    assert status_of(sandbox, "report_outputs", report) == "pending"
    for item in claimed["simulations"]:
        assert status_of(sandbox, "simulations", item["simulation_id"]) == "pending"
    assert claim(sandbox)["run_sequence"] == 4


def test_a_reset_of_the_report_ends_its_claim(sandbox: Connection, report: int) -> None:
    claimed = claim(sandbox)

    sandbox.execute("select reset_report(%s)", (report,))

    assert claim_row(sandbox, claimed)["ended_as"] == "superseded"
    for item in claimed["simulations"]:
        assert status_of(sandbox, "simulations", item["simulation_id"]) == "pending"
    assert claim(sandbox)["run_sequence"] == 3


@pytest.mark.parametrize("is_finished", [False, True])
def test_a_rerun_that_resets_a_shared_simulation_revokes_the_claims_that_rely_on_it(
    sandbox: Connection, *, is_finished: bool
) -> None:
    set_versions(sandbox)
    shared = add_simulation(sandbox, **({} if is_finished else {"status": "pending", "output": None}))
    relying = add_report(sandbox, shared, status="pending", output=None)
    other = add_report(sandbox, shared)
    claimed = claim(sandbox, relying)

    rerun(sandbox, other)

    assert status_of(sandbox, "report_outputs", relying) == "running", "it is not locked, nor written"
    with refuses(sandbox, "RR027", contains=f"is over: superseded, report #{other} was rerun."):
        sandbox.execute("select * from finish_report(%s, '1')", (claimed["claim_id"],))
    [taken] = claims(sandbox, report_id=relying)
    assert (taken["attempt"], claim_row(sandbox, claimed)["counts"]) == (2, False)
    assert claim_row(sandbox, claimed)["ended_as"] == "superseded"


def test_a_batch_ends_claims_as_a_rerun_does(sandbox: Connection, report: int) -> None:
    claimed = claim(sandbox)

    sandbox.execute("call rerun_reports(array[%s::bigint])", (report,))

    assert claim_row(sandbox, claimed)["ended_as"] == "superseded"
    assert claim(sandbox)["run_sequence"] == 3


def test_a_write_without_the_claim_ends_it(sandbox: Connection, report: int) -> None:
    claimed = claim(sandbox)

    sandbox.execute("select * from update_report(%s, status => 'complete', output => '1')", (report,))

    assert claim_row(sandbox, claimed)["ended_as"] == "superseded"
    assert status_of(sandbox, "simulations", claimed["simulations"][0]["simulation_id"]) == "pending"
    with refuses(sandbox, "RR027"):
        sandbox.execute("select * from finish_report(%s, '2')", (claimed["claim_id"],))


def test_a_simulation_that_somebody_else_finishes_is_taken_from_the_claim(sandbox: Connection, report: int) -> None:
    claimed = claim(sandbox)
    first, second = (item["simulation_id"] for item in claimed["simulations"])

    sandbox.execute("select * from update_simulation(%s, status => 'complete', output => '1')", (first,))
    with refuses(sandbox, "RR020"):
        sandbox.execute("select * from finish_simulation(%s, %s, '2')", (claimed["claim_id"], first))
    sandbox.execute("select * from finish_simulation(%s, %s, '2')", (claimed["claim_id"], second))
    sandbox.execute("select * from finish_report(%s, '3')", (claimed["claim_id"],))

    assert status_of(sandbox, "report_outputs", report) == "complete"


def test_a_claim_can_be_used_with_the_updates_of_rows(sandbox: Connection, report: int) -> None:
    claimed = claim(sandbox)
    first, second = (item["simulation_id"] for item in claimed["simulations"])
    sandbox.execute(
        "select * from update_simulation(%s, status => 'error', error_message => 'no', claim_id => %s)",
        (first, claimed["claim_id"]),
    )
    sandbox.execute("select * from finish_simulation(%s, %s, '2')", (claimed["claim_id"], second))
    with refuses(sandbox, "RR016", "A worker does not put a report that it has claimed back to pending."):
        sandbox.execute(
            "select * from update_report(%s, status => 'pending', claim_id => %s)", (report, claimed["claim_id"])
        )

    sandbox.execute(
        "select * from update_report(%s, status => 'error', error_message => 'no', claim_id => %s)",
        (report, claimed["claim_id"]),
    )

    assert claim_row(sandbox, claimed)["ended_as"] == "error"


# --- require_claim ---------------------------------------------------------------------------


def test_a_setting_refuses_writes_that_name_no_run(sandbox: Connection, report: int) -> None:
    sandbox.execute("select set_setting('require_claim', 'run')")

    with refuses(sandbox, "RR030", f"This write to report #{report} does not name its run."):
        sandbox.execute("select * from update_report(%s, status => 'running')", (report,))
    sandbox.execute("select * from update_report(%s, status => 'running', run_sequence => 2)", (report,))


def test_a_setting_lets_only_claims_write_a_run_that_was_ever_claimed(sandbox: Connection, report: int) -> None:
    sandbox.execute("select set_setting('require_claim', 'claim')")
    claimed = claim(sandbox)
    simulation = claimed["simulations"][0]["simulation_id"]
    lose(sandbox, claimed)

    refused = f"Report #{report} is computed by workers that claim it, and this write names no claim."
    with refuses(sandbox, "RR030", refused):
        sandbox.execute("select * from update_report(%s, status => 'running', run_sequence => 2)", (report,))
    with refuses(sandbox, "RR030", contains=f"Simulation #{simulation} is computed by workers that claim it"):
        sandbox.execute("select * from update_simulation(%s, status => 'running', run_sequence => 2)", (simulation,))
    finish(sandbox, claim(sandbox, worker="worker 2"))
    assert status_of(sandbox, "report_outputs", report) == "complete"


def test_a_lost_worker_does_not_overwrite_what_the_next_one_finished_where_finished_runs_may_be_written(
    sandbox: Connection, report: int
) -> None:
    sandbox.execute("select set_setting('require_claim', 'claim'), set_setting('allow_unfinish', 'on')")
    lose(sandbox, claim(sandbox))
    finish(sandbox, claim(sandbox, worker="worker 2"), {"of": "worker 2"})

    with refuses(sandbox, "RR030"):
        sandbox.execute(
            "select * from update_report(%s, status => 'complete', output => '{}', run_sequence => 2)", (report,)
        )


# --- the tables themselves -------------------------------------------------------------------


@pytest.mark.usefixtures("report")
def test_two_open_claims_of_one_report_cannot_exist(sandbox: Connection) -> None:
    claimed = claim(sandbox)

    with refuses(sandbox, "23505", contains="claim_open"):
        sandbox.execute(
            "insert into pgreprise.claim (report_id, run_sequence, attempt, country_id, worker, lease, claimed_at, "
            "heartbeat_at, lease_until) select report_id, run_sequence, 2, country_id, worker, lease, claimed_at, "
            "heartbeat_at, lease_until from pgreprise.claim where claim_id = %s",
            (claimed["claim_id"],),
        )


@pytest.mark.usefixtures("report")
def test_two_open_claims_cannot_compute_one_simulation(sandbox: Connection) -> None:
    claimed = claim(sandbox)

    with refuses(sandbox, "23505", contains="claim_simulation_computed"):
        sandbox.execute(
            "insert into pgreprise.claim_simulation (claim_id, simulation_id, run_sequence, computes, claimed_at) "
            "values (gen_random_uuid(), %s, 2, true, now())",
            (claimed["simulations"][0]["simulation_id"],),
        )


@pytest.mark.usefixtures("report")
def test_the_act_of_a_rerun_is_not_changed_by_claims(sandbox: Connection) -> None:
    claim(sandbox)

    assert newest_act(sandbox)["kind"] == "rerun"


# --- the application's rules -----------------------------------------------------------------


def test_a_report_that_the_application_refuses_to_change_stands_in_no_workers_way(sandbox: Connection) -> None:
    frozen, free = (add_report(sandbox, add_simulation(sandbox), status="pending", output=None) for _ in range(2))
    sandbox.execute(FROZEN.format(id=frozen).encode())

    assert [each["report_id"] for each in claims(sandbox)] == [free]

    waiting = one(sandbox, "select report_id, because from pgreprise.retry")
    assert waiting == {"report_id": frozen, "because": "it is frozen"}
    sandbox.execute("drop trigger frozen on public.report_outputs; update pgreprise.retry set retry_at = now()")
    assert claim(sandbox)["report_id"] == frozen


def test_a_lost_claim_whose_report_the_application_refuses_to_change_ends_all_the_same(sandbox: Connection) -> None:
    frozen, free = (add_report(sandbox, add_simulation(sandbox), status="pending", output=None) for _ in range(2))
    lost = claim(sandbox, frozen)
    sandbox.execute(FROZEN.format(id=frozen).encode())
    age(sandbox, lost)

    assert claim(sandbox)["report_id"] == free

    ended = claim_row(sandbox, lost)
    assert (ended["ended_as"], ended["ended_because"]) == (
        "lost",
        "the application refuses to put the report back: it is frozen",
    )
    later = "select report_id from lost_runs(interval '0', now() + interval '1 hour')"
    assert frozen in [row["report_id"] for row in sandbox.execute(later)]


# --- other rows with the same id -------------------------------------------------------------


def test_a_claim_of_a_deleted_report_does_not_write_to_another_row_with_its_id(sandbox: Connection) -> None:
    first, second = add_simulation(sandbox), add_simulation(sandbox)
    report = add_report(sandbox, first, status="pending", output=None)
    lost = claim(sandbox, report)
    sandbox.execute("delete from report_outputs where id = %s", (report,))
    add_report(sandbox, second, id=report, status="pending", output=None)

    with refuses(sandbox, "RR027", contains="the report links other simulations now"):
        sandbox.execute("select * from finish_report(%s, '1')", (lost["claim_id"],))
    taken = claim(sandbox, report, "worker 2")

    assert (taken["run_sequence"], taken["attempt"]) == (3, 1), "runs and attempts of the deleted row are not its own"
    assert claim_row(sandbox, lost)["ended_as"] == "superseded"
    finish(sandbox, taken)


def test_a_report_whose_links_were_changed_or_whose_simulation_was_deleted_is_not_finished(sandbox: Connection) -> None:
    first, second = add_simulation(sandbox), add_simulation(sandbox)
    report = add_report(sandbox, first, status="pending", output=None)
    claimed = claim(sandbox, report)
    finishing = "select * from finish_report(%s, '1')"

    with sandbox.transaction(force_rollback=True):
        sandbox.execute("update report_outputs set simulation_1_id = %s where id = %s", (second, report))
        with refuses(sandbox, "RR027", contains="the report links other simulations now"):
            sandbox.execute(finishing, (claimed["claim_id"],))
    sandbox.execute("delete from simulations where id = %s", (first,))
    with refuses(sandbox, "RR007", f"Simulation #{first} not found."):
        sandbox.execute(finishing, (claimed["claim_id"],))


def test_the_claim_of_a_report_that_was_deleted_can_be_released(sandbox: Connection) -> None:
    shared = add_simulation(sandbox, status="pending", output=None)
    report = add_report(sandbox, shared, status="pending", output=None)
    claimed = claim(sandbox, report)
    sandbox.execute("delete from report_outputs where id = %s", (report,))

    sandbox.execute("select release_claim(%s)", (claimed["claim_id"],))

    assert claim_row(sandbox, claimed)["ended_because"] == "the report was deleted"
    assert status_of(sandbox, "simulations", shared) == "pending"


# --- further rules ---------------------------------------------------------------------------


@pytest.mark.parametrize("report_type", ["household", "geography"])
def test_a_worker_of_one_type_ends_reports_that_have_none(sandbox: Connection, report_type: str) -> None:
    broken = add_report(sandbox, 999_999, status="pending", output=None)

    assert claims(sandbox, report_type=report_type) == []

    assert status_of(sandbox, "report_outputs", broken) == "error"


def test_a_simulation_that_is_un_finished_revokes_the_claims_that_rely_on_it(sandbox: Connection) -> None:
    sandbox.execute("select set_setting('allow_unfinish', 'on')")
    shared = add_simulation(sandbox)
    claimed = claim(sandbox, add_report(sandbox, shared, status="pending", output=None))

    with refuses(sandbox, "RR020"):
        sandbox.execute("select * from finish_simulation(%s, %s, '7')", (claimed["claim_id"], shared))
    sandbox.execute("select update_simulation(%s, status => 'pending')", (shared,))

    with refuses(sandbox, "RR027", contains=f"simulation #{shared} was written again"):
        sandbox.execute("select * from finish_report(%s, '1')", (claimed["claim_id"],))
