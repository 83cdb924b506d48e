"""A worker claims, computes and finishes over HTTP; people look at attempts and cancel runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from pyapi.api.app import create_app
from tests.support.api import NewEngine
from tests.support.claims import age, claim, claim_row, lose, status_of
from tests.support.databases import Connection
from tests.support.factories import ODD_JSON, add_economy_report, add_report, add_simulation, set_versions
from tests.support.replies import refused, succeeded
from tests.support.snapshots import everything
from tests.support.statements import one, rerun
from tests.support.tokens import SECRET, authentication, claims, signed

needs_report = pytest.mark.usefixtures("report")


@pytest.fixture
def report(dba: Connection) -> int:
    """An economy report that was rerun, and so waits with both simulations."""
    set_versions(dba)
    made, _, _ = add_economy_report(dba)
    rerun(dba, made)
    return made


def claimed(client: FlaskClient, **body: Any) -> dict[str, Any]:
    """Claim one report, which must be there to be claimed."""
    [found] = succeeded(client.post("/claims", json={"worker": "worker 1", **body}))
    return dict(found)


def simulations_of(given: dict[str, Any]) -> list[int]:
    return [simulation["simulation_id"] for simulation in given["simulations"]]


def finish_simulations(client: FlaskClient, given: dict[str, Any]) -> None:
    for simulation in simulations_of(given):
        path = f"/claims/{given['claim_id']}/simulations/{simulation}/finish"
        succeeded(client.post(path, json={"output": {"budget": simulation}}))


def is_utc(text: str) -> bool:
    return datetime.fromisoformat(text).utcoffset() == datetime.now(UTC).utcoffset()


# --- a worker --------------------------------------------------------------------------------


def test_a_worker_claims_computes_and_finishes_a_report(client: FlaskClient, dba: Connection, report: int) -> None:
    given = claimed(client, lease_seconds=90, country_id="us", report_type="geography")
    assert (given["report_id"], given["run_sequence"], given["attempt"], given["worker"]) == (report, 2, 1, "worker 1")
    assert (given["report_type"], given["year"], given["region"]) == ("geography", "2025", "state/ny")
    assert [simulation["computes"] for simulation in given["simulations"]] == [True, True]
    assert 0 < given["lease_seconds_left"] <= 90
    assert is_utc(given["lease_until"])
    assert succeeded(client.post("/claims", json={"worker": "worker 2"})) == []

    path = f"/claims/{given['claim_id']}"
    lease = succeeded(client.post(f"{path}/heartbeat", json={"progress": 0.4, "message": "reading"}))
    assert lease.keys() == {"lease_until", "lease_seconds_left", "cancel_requested"}
    assert (lease["lease_seconds_left"] <= 90, lease["cancel_requested"]) == (True, False)
    [shown] = succeeded(client.get("/claims"))
    assert (shown["report_id"], shown["progress"], shown["message"]) == (report, 0.4, "reading")

    first, second = simulations_of(given)
    done = succeeded(client.post(f"{path}/simulations/{first}/finish", json={"output": {"budget": 1}}))
    assert (done["id"], done["status"], done["output"], done["attempt"]) == (first, "complete", '{"budget":1}', 1)
    failed = succeeded(client.post(f"{path}/simulations/{second}/fail", json={"error_message": "no data"}))
    assert (failed["id"], failed["status"], failed["error_message"]) == (second, "error", "no data")

    finished = succeeded(client.post(f"{path}/finish", json={"output": ODD_JSON}))
    assert (finished["id"], finished["status"], finished["output"]) == (report, "complete", ODD_JSON)
    assert one(dba, "select output::text as text from report_outputs where id = %s", report)["text"] == ODD_JSON
    # A worker that lost the answer sends it again.
    assert succeeded(client.post(f"{path}/finish", json={"output": ODD_JSON})) == finished
    assert succeeded(client.get("/claims")) == []


def test_a_lease_is_a_number_of_seconds_also_a_broken_one(client: FlaskClient, dba: Connection, report: int) -> None:
    given = claimed(client, report_id=report, lease_seconds=1.5)
    assert str(claim_row(dba, given)["lease"]) == "0:00:01.500000"
    lease = succeeded(client.post(f"/claims/{given['claim_id']}/heartbeat", json={"lease_seconds": 86_400}))
    assert str(claim_row(dba, given)["lease"]) == "1 day, 0:00:00"
    assert lease["lease_seconds_left"] > 80_000
    # Without a body it is as long as it was.
    assert succeeded(client.post(f"/claims/{given['claim_id']}/heartbeat"))["lease_seconds_left"] > 80_000


def test_several_reports_are_claimed_at_once(client: FlaskClient, dba: Connection) -> None:
    wanted = [add_report(dba, add_simulation(dba), status="pending", output=None) for _ in range(3)]
    found = succeeded(client.post("/claims", json={"worker": "worker 1", "max_reports": 2}))
    assert [given["report_id"] for given in found] == wanted[:2]
    assert [simulation["computes"] for given in found for simulation in given["simulations"]] == [False, False]


@needs_report
def test_a_report_fails_for_good_or_until_later(client: FlaskClient, dba: Connection) -> None:
    given = claimed(client)
    path = f"/claims/{given['claim_id']}/fail"
    later = succeeded(client.post(path, json={"error_message": "busy", "retry_after_seconds": 300}))
    assert (later["status"], later["error_message"]) == ("pending", None)
    assert succeeded(client.post("/claims", json={"worker": "worker 1"})) == []
    dba.execute("update pgreprise.retry set retry_at = clock_timestamp()")

    given = claimed(client)
    assert given["attempt"] == 2
    failed = succeeded(client.post(f"/claims/{given['claim_id']}/fail", json={"error_message": "no data"}))
    assert (failed["status"], failed["error_message"], failed["attempt"]) == ("error", "no data", 2)


def test_a_claim_that_is_given_back_is_free_at_once(client: FlaskClient, dba: Connection, report: int) -> None:
    given = claimed(client)
    path = f"/claims/{given['claim_id']}/release"
    assert succeeded(client.post(path)) is None
    assert succeeded(client.post(path, json={})) is None
    assert status_of(dba, "report_outputs", report) == "pending"
    assert claimed(client)["report_id"] == report
    attempts = succeeded(client.get(f"/us/report/{report}/attempts"))
    assert [(each["attempt"], each["ended_as"], each["counts"]) for each in attempts] == [
        (2, None, True),
        (1, "released", False),
    ]
    assert "claim_id" not in attempts[0]


def test_a_worker_that_was_lost_is_refused_and_told_why(client: FlaskClient, dba: Connection, report: int) -> None:
    given = claimed(client)
    lose(dba, given)
    for path, body in (
        ("heartbeat", {}),
        ("finish", {"output": {}}),
        ("fail", {"error_message": "no data"}),
        ("release", {}),
        (f"simulations/{simulations_of(given)[0]}/finish", {"output": {}}),
        (f"simulations/{simulations_of(given)[0]}/fail", {"error_message": "no data"}),
    ):
        before = everything(dba)
        over = refused(client.post(f"/claims/{given['claim_id']}/{path}", json=body), 409, "RR027")
        assert over["message"].startswith(f"The claim of report #{report}, run 2, attempt 1 is over: lost")
        assert everything(dba) == before


def test_a_report_is_not_finished_before_its_simulations(client: FlaskClient, report: int) -> None:
    given = claimed(client)
    first, second = simulations_of(given)
    path = f"/claims/{given['claim_id']}/finish"
    early = refused(client.post(path, json={"output": {}}), 409, "RR031")
    assert early["message"] == f"Report #{report} cannot be finished before simulations #{first} and #{second}."
    assert "select" not in early["hint"]
    finish_simulations(client, given)
    succeeded(client.post(path, json={"output": {}}))


def test_a_claim_that_never_was_is_not_found(client: FlaskClient, dba: Connection, report: int) -> None:
    before = everything(dba)
    unknown = uuid4()
    for path, body in (
        *(("heartbeat", {}), ("release", {}), ("finish", {"output": {}}), ("fail", {"error_message": "x"})),
        *(("simulations/1/finish", {"output": {}}), ("simulations/1/fail", {"error_message": "x"})),
    ):
        refused(client.post(f"/claims/{unknown}/{path}", json=body), 404, "RR028")
    refused(client.post("/claims", json={"worker": "w", "report_id": report + 1}), 404, "RR001")
    refused(client.post("/claims", json={"worker": "w", "report_id": report, "country_id": "uk"}), 404, "RR001")
    refused(client.post("/claims", json={"worker": "w", "country_id": "zz"}), 400, "RR008")
    assert everything(dba) == before


@needs_report
def test_a_simulation_of_another_claim_is_not_written(client: FlaskClient, dba: Connection) -> None:
    given = claimed(client)
    other = add_simulation(dba, status="pending", output=None)
    path = f"/claims/{given['claim_id']}/simulations"
    refused(client.post(f"{path}/{other}/finish", json={"output": {}}), 404, "RR028")
    refused(client.post(f"{path}/{other + 1}/finish", json={"output": {}}), 404, "RR007")


@pytest.mark.needs("time")
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/claims", {}),
        ("/claims", {"worker": None}),
        ("/claims", {"worker": " "}),
        ("/claims", {"worker": "x" * 201}),
        ("/claims", {"worker": "\0"}),
        ("/claims", {"worker": "w", "lease_seconds": 0.5}),
        ("/claims", {"worker": "w", "lease_seconds": 86_401}),
        ("/claims", {"worker": "w", "lease_seconds": "60"}),
        ("/claims", {"worker": "w", "lease_seconds": None}),
        ("/claims", {"worker": "w", "lease": "1 minute"}),
        ("/claims", {"worker": "w", "report_type": "nation"}),
        ("/claims", {"worker": "w", "report_id": "1"}),
        ("/claims", {"worker": "w", "report_id": 0}),
        ("/claims", {"worker": "w", "max_reports": 0}),
        ("/claims", {"worker": "w", "max_reports": 101}),
        ("/claims", {"worker": "w", "country": "us"}),
        ("heartbeat", {"progress": 1.1}),
        ("heartbeat", {"progress": -0.1}),
        ("heartbeat", {"progress": "0.4"}),
        ("heartbeat", {"lease_seconds": 0}),
        ("heartbeat", {"message": "\0"}),
        ("heartbeat", {"done": True}),
        ("finish", {}),
        ("finish", {"output": None}),
        ("finish", {"output": "{"}),
        ("finish", {"output": {"a": "\0"}}),
        ("finish", {"output": {}, "run_sequence": 2}),
        ("fail", {}),
        ("fail", {"error_message": " "}),
        ("fail", {"error_message": "x", "retry_after_seconds": -1}),
        ("fail", {"error_message": "x", "retry_after_seconds": 3_000_000}),
        ("fail", {"error_message": "x", "retry_after": "5 minutes"}),
        ("release", {"reason": "x"}),
        ("simulation/finish", {}),
        ("simulation/finish", {"output": None}),
        ("simulation/fail", {"error_message": ""}),
        ("simulation/fail", {"error_message": "x", "retry_after_seconds": 1}),
    ],
    ids=str,
)
def test_a_body_that_cannot_be_meant_is_refused(
    client: FlaskClient, dba: Connection, report: int, path: str, body: dict[str, Any]
) -> None:
    given = claim(dba, report)
    before = everything(dba)
    if not path.startswith("/"):
        simulation = f"simulations/{simulations_of(given)[0]}/"
        path = f"/claims/{given['claim_id']}/{path.replace('simulation/', simulation)}"
    reply = client.post(path, json=body)
    assert reply.status_code == 400, reply.text
    assert reply.get_json()["code"] in ("BAD_REQUEST", "RR016", "22P02")
    assert everything(dba) == before


def test_an_id_of_a_claim_has_one_spelling(client: FlaskClient, dba: Connection, report: int) -> None:
    text = str(claim(dba, report)["claim_id"])
    before = everything(dba)
    for spelling in (text.upper(), text.replace("-", ""), f"{{{text}}}", f"{text} ", text[:-1], f"urn:uuid:{text}"):
        refused(client.post(f"/claims/{spelling}/heartbeat"), 404, "NOT_FOUND")
    assert everything(dba) == before


# --- PATCH with a claim ----------------------------------------------------------------------


def test_a_patch_names_the_claim(client: FlaskClient, dba: Connection, report: int) -> None:
    given = claimed(client)
    for simulation in simulations_of(given):
        body = {"id": simulation, "status": "complete", "output": ODD_JSON, "claim_id": given["claim_id"]}
        assert succeeded(client.patch("/us/simulation", json=body))["output"] == ODD_JSON
    lost = {**given, "claim_id": str(uuid4())}
    body = {"id": report, "status": "complete", "output": ODD_JSON}
    refused(client.patch("/us/report", json={**body, "claim_id": lost["claim_id"]}), 404, "RR028")
    refused(client.patch("/us/report", json={**body, "claim_id": "x"}), 400, "BAD_REQUEST")
    done = succeeded(client.patch("/us/report", json={**body, "claim_id": given["claim_id"]}))
    assert (done["status"], done["output"], done["attempt"]) == ("complete", ODD_JSON, 1)
    assert claim_row(dba, given)["ended_as"] == "complete"


def test_a_patch_without_a_claim_ends_it_unless_the_setting_asks_for_claims(
    client: FlaskClient, dba: Connection, report: int
) -> None:
    given = claimed(client)
    dba.execute("select set_setting('require_claim', 'claim')")
    before = everything(dba)
    write = {"id": report, "status": "error", "error_message": "x"}
    asked = refused(client.patch("/us/report", json=write), 409, "RR030")
    assert "set_setting" not in asked["hint"]
    assert everything(dba) == before
    dba.execute("select set_setting('require_claim', 'off')")
    succeeded(client.patch("/us/report", json=write))
    refused(client.post(f"/claims/{given['claim_id']}/heartbeat"), 409, "RR027")


# --- cancelling, and looking -----------------------------------------------------------------


def test_a_run_that_waits_is_cancelled_at_once(client: FlaskClient, report: int) -> None:
    done = succeeded(client.post(f"/us/report/{report}/cancel", json={"reason": "wrong year"}))
    assert (done["run_sequence"], done["status"], done["cancel_requested"]) == (2, "error", False)
    shown = succeeded(client.get(f"/us/report/{report}"))
    assert shown["error_message"] == "The run was cancelled: wrong year."
    assert succeeded(client.get(f"/us/report/{report}/runs"))[0]["status"] == "cancelled"
    [act] = succeeded(client.get("/reruns?kind=cancel_run"))
    assert (act["rerun_id"], act["actor"], act["reason"]) == (done["rerun_id"], "operator", "wrong year")
    # A second time changes nothing.
    assert succeeded(client.post(f"/us/report/{report}/cancel"))["rerun_id"] == done["rerun_id"]


def test_a_run_at_work_is_cancelled_when_its_worker_hears_of_it(client: FlaskClient, report: int) -> None:
    given = claimed(client)
    done = succeeded(client.post(f"/us/report/{report}/cancel", headers={"X-Reason": "wrong year"}))
    assert (done["status"], done["cancel_requested"]) == ("running", True)
    assert is_utc(done["lease_until"])
    path = f"/claims/{given['claim_id']}"
    assert succeeded(client.post(f"{path}/heartbeat"))["cancel_requested"] is True
    assert succeeded(client.get("/claims"))[0]["cancel_requested"] is True
    refused(client.post(f"{path}/finish", json={"output": {}}), 409, "RR027")
    succeeded(client.post(f"{path}/release"))
    assert succeeded(client.get(f"/us/report/{report}"))["error_message"] == "The run was cancelled: wrong year."
    assert succeeded(client.get(f"/us/report/{report}/attempts"))[0]["ended_as"] == "cancelled"


@pytest.mark.parametrize(
    ("path", "more", "status", "code"),
    [
        ("/us/report/99/cancel", {}, 404, "RR001"),
        ("/uk/report/{}/cancel", {}, 404, "RR001"),
        ("/zz/report/{}/cancel", {}, 400, "RR008"),
        ("/us/report/{}/cancel", {"json": {"reason": "x" * 1001}}, 400, "RR016"),
        ("/us/report/{}/cancel", {"json": {"force": True}}, 400, "BAD_REQUEST"),
        ("/us/report/{}/cancel?dry_run=true", {}, 400, "BAD_REQUEST"),
    ],
)
def test_what_cannot_be_cancelled_is_refused(
    client: FlaskClient, dba: Connection, report: int, path: str, more: dict[str, Any], status: int, code: str
) -> None:
    before = everything(dba)
    refused(client.post(path.format(report), **more), status, code)
    assert everything(dba) == before


def test_a_finished_run_is_not_cancelled(client: FlaskClient, dba: Connection) -> None:
    finished = add_report(dba, add_simulation(dba))
    refused(client.post(f"/us/report/{finished}/cancel"), 409, "RR020")


def test_open_claims_are_read_in_pages_and_by_country(client: FlaskClient, dba: Connection) -> None:
    set_versions(dba, "uk")
    of_uk = add_report(dba, add_simulation(dba, country_id="uk"), country_id="uk", status="pending", output=None)
    of_us = [add_report(dba, add_simulation(dba), status="pending", output=None) for _ in range(3)]
    succeeded(client.post("/claims", json={"worker": "worker 1", "max_reports": 10}))

    def listed(query: str) -> list[int]:
        return [each["report_id"] for each in succeeded(client.get(f"/claims?{query}"))]

    assert listed("") == [of_uk, *of_us]
    assert listed("country_id=us&max_rows=2") == of_us[:2]
    assert listed(f"country_id=us&max_rows=2&after_report_id={of_us[1]}") == of_us[2:]
    for query in ("max_rows=0", "max_rows=1001", "after_report_id=x", "country=us", "worker=x"):
        refused(client.get(f"/claims?{query}"), 400, "BAD_REQUEST")
    refused(client.get("/claims?country_id=zz"), 400, "RR008")


def test_attempts_are_of_a_report_of_the_country(client: FlaskClient, report: int) -> None:
    assert succeeded(client.get(f"/us/report/{report}/attempts")) == []
    refused(client.get(f"/uk/report/{report}/attempts"), 404, "RR001")
    refused(client.get("/us/report/99/attempts"), 404, "RR001")
    refused(client.get(f"/zz/report/{report}/attempts"), 400, "RR008")


TIMES = ("pending_since", "claimed_at", "started_at", "finished_at")


def test_every_reply_that_shows_a_run_has_its_times(client: FlaskClient, report: int) -> None:
    given = claimed(client)
    finish_simulations(client, given)
    succeeded(client.post(f"/claims/{given['claim_id']}/finish", json={"output": {}}))
    for path in (f"report/{report}", f"report/{report}/runs/2", *(f"simulation/{id}" for id in simulations_of(given))):
        shown = succeeded(client.get(f"/us/{path}"))
        times = [datetime.fromisoformat(shown[name]) for name in TIMES]
        assert times == sorted(times), path
        assert all(is_utc(shown[name]) for name in TIMES)
        assert shown["attempt"] == 1
        assert shown["wait_seconds"] > 0
        assert shown["run_seconds"] > 0
    current, first = succeeded(client.get(f"/us/report/{report}/runs"))
    assert all(is_utc(current[name]) for name in TIMES)
    assert [first[name] for name in (*TIMES, "attempt", "wait_seconds", "run_seconds")] == [None] * 7


# --- tokens ----------------------------------------------------------------------------------


def test_workers_need_their_scope_and_others_theirs(new_engine: NewEngine, dba: Connection, report: int) -> None:
    client = create_app(new_engine(), authentication(jwt_secret=SECRET)).test_client()

    def headers(scope: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {signed(claims(scope=scope))}"}

    for scope in ("reports:read reports:write reports:rerun reports:admin", "reports:works"):
        refused(client.post("/claims", json={"worker": "w"}, headers=headers(scope)), 403, "RR017")
    for body in ({"worker": "w"}, {"worker": "w", "report_id": report}):
        reply = client.post("/claims", json=body, headers=headers("reports:work"))
        [given] = succeeded(reply)
        path = f"/claims/{given['claim_id']}"
        for act, more in (("heartbeat", {}), ("finish", {"output": {}}), ("fail", {"error_message": "x"}),
                          ("release", {})):  # fmt: skip
            refused(client.post(f"{path}/{act}", json=more, headers=headers("reports:read")), 403, "RR017")
        succeeded(client.post(f"{path}/heartbeat", headers=headers("reports:work")))
        assert claim_row(dba, given)["actor"] == "alice"
        succeeded(client.post(f"{path}/release", headers=headers("reports:work")))
    refused(client.get("/claims", headers=headers("reports:work")), 403, "RR017")
    succeeded(client.get("/claims", headers=headers("reports:read")))
    refused(client.post(f"/us/report/{report}/cancel", headers=headers("reports:work")), 403, "RR017")
    succeeded(client.post(f"/us/report/{report}/cancel", headers=headers("reports:rerun")))


def test_what_the_application_wrote_about_a_report_is_an_object_for_the_worker(
    client: FlaskClient, dba: Connection
) -> None:
    wanted = add_report(dba, add_simulation(dba), status="pending", output=None)
    spec = {"kind": "economy", "inputs": [1, 2]}
    dba.execute("update report_outputs set report_spec_json = %s where id = %s", (json.dumps(spec), wanted))
    assert claimed(client)["report_spec_json"] == spec


@needs_report
def test_a_lease_that_is_over_is_shown_as_such(client: FlaskClient, dba: Connection) -> None:
    given = claimed(client)
    age(dba, given)
    [shown] = succeeded(client.get("/claims"))
    assert datetime.fromisoformat(shown["lease_until"]) < datetime.now(UTC)


# --- one run ---------------------------------------------------------------------------------


def test_a_run_whose_worker_is_silent_is_released_once_for_its_key(
    client: FlaskClient, dba: Connection, report: int
) -> None:
    path = f"/us/report/{report}/release"
    given = claimed(client)
    said = refused(client.post(path), 409, "RR032")
    assert "Worker worker 1 computes report" in said["message"]
    assert "select" not in said["hint"]
    age(dba, given)
    refused(client.post(path, json={"run_sequence": 1}), 409, "RR020")
    more = {"json": {"run_sequence": 2, "reason": "rebooted"}, "headers": {"Idempotency-Key": "once"}}
    released = succeeded(client.post(path, **more))
    assert released == {
        "report_id": report,
        "run_sequence": 2,
        "status": "pending",
        "result": "lost",
        "worker": "worker 1",
        "rerun_id": released["rerun_id"],
    }
    before = everything(dba)
    assert succeeded(client.post(path, **more)) == released
    assert everything(dba) == before
    assert one(dba, "select reason from rerun_history() limit 1")["reason"] == "rebooted"


def test_a_run_is_cancelled_when_it_is_still_the_one_that_was_seen(
    client: FlaskClient, dba: Connection, report: int
) -> None:
    path = f"/us/report/{report}/cancel"
    before = everything(dba)
    said = refused(client.post(path, json={"run_sequence": 1}), 409, "RR020")
    assert f"Report #{report} is at run 2, and not at run 1 any more." in said["message"]
    for wrong in ("x", 0, 1.5, True, 2**63):
        refused(client.post(path, json={"run_sequence": wrong}), 400, "BAD_REQUEST")
    assert everything(dba) == before
    more = {"json": {"run_sequence": 2}, "headers": {"Idempotency-Key": "once"}}
    first = succeeded(client.post(path, **more))
    rerun(dba, report)
    assert succeeded(client.post(path, **more)) == first
    assert succeeded(client.get(f"/us/report/{report}"))["status"] == "pending"
