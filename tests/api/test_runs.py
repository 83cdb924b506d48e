"""An application looks at runs, fences its workers, retries safely and takes a rerun back, over HTTP."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from pyapi.api.app import create_app
from pyapi.api.auth import LOCAL_OPERATOR
from tests.support.api import NewEngine
from tests.support.databases import Connection
from tests.support.factories import add_reform_impact, add_report, add_simulation, set_versions
from tests.support.replies import refused, succeeded
from tests.support.snapshots import everything, snapshot
from tests.support.statements import one

OUTPUT = '{"b" : 2,  "a": [1.50]}'


@pytest.fixture
def report(dba: Connection) -> int:
    """An economy report with two simulations and one row of cache."""
    set_versions(dba)
    baseline = add_simulation(dba, policy_id=2)
    found = add_report(dba, baseline, add_simulation(dba, policy_id=3), output=OUTPUT)
    add_reform_impact(dba)
    return found


def rerun(client: FlaskClient, report: int, key: str | None = None) -> dict[str, Any]:
    headers = {} if key is None else {"Idempotency-Key": key}
    result: dict[str, Any] = succeeded(client.post(f"/us/report/{report}/rerun", headers=headers))
    return result


def without_runs(tables: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {
        name: [{column: row[column] for column in row if column != "run_sequence"} for row in rows]
        for name, rows in tables.items()
    }


def test_an_undo_puts_every_byte_back(client: FlaskClient, dba: Connection, report: int) -> None:
    before = snapshot(dba)
    result = rerun(client, report)
    assert (result["run_sequence"], result["economy_cache_rows_deleted"]) == (2, 1)
    undone = succeeded(client.post(f"/us/report/{report}/reruns/{result['rerun_id']}/undo"))
    assert undone["rerun_id"] == result["rerun_id"]
    assert (undone["report_id"], undone["run_sequence"], undone["economy_cache_rows_restored"]) == (report, 3, 1)
    assert without_runs(snapshot(dba)) == without_runs(before)


def test_the_runs_of_a_report_are_listed_and_an_earlier_result_can_be_read(client: FlaskClient, report: int) -> None:
    result = rerun(client, report, "again")
    current, first = succeeded(client.get(f"/us/report/{report}/runs"))
    assert (current["run_sequence"], current["is_current"], current["status"]) == (2, True, "pending")
    assert (current["started_by"], current["rerun_id"]) == ("rerun", result["rerun_id"])
    assert (current["actor"], current["idempotency_key"]) == ("operator", "again")
    assert datetime.fromisoformat(current["pending_since"]) == datetime.fromisoformat(first["ended_at"])
    assert (first["run_sequence"], first["is_current"], first["has_output"]) == (1, False, True)

    run = succeeded(client.get(f"/us/report/{report}/runs/1"))
    assert (run["report_id"], run["run_sequence"], run["status"], run["output"]) == (report, 1, "complete", OUTPUT)
    now = succeeded(client.get(f"/us/report/{report}/runs/2"))
    assert (now["is_current"], now["status"], now["output"], now["had_output"]) == (True, "pending", None, False)
    assert (
        refused(client.get(f"/us/report/{report}/runs/3"), 404, "RR019")["message"] == f"Report #{report} has no run 3."
    )


@pytest.mark.parametrize("path", ["runs", "runs/1", "rerun"])
def test_what_only_looks_refuses_a_report_of_another_country(client: FlaskClient, report: int, path: str) -> None:
    refused(client.get(f"/uk/report/{report}/{path}"), 404, "RR001")
    refused(client.get(f"/zz/report/{report}/{path}"), 400, "RR008")
    refused(client.get(f"/us/report/99/{path}"), 404, "RR001")


def test_a_preview_tells_what_the_rerun_then_does_and_changes_nothing(
    client: FlaskClient, dba: Connection, report: int
) -> None:
    other = add_report(dba, 1)
    before = everything(dba)
    shown = succeeded(client.get(f"/us/report/{report}/rerun"))
    assert everything(dba) == before
    assert [(row["kind"], row["shared_with"]) for row in shown] == [
        ("report", []),
        ("simulation", [other]),
        ("simulation", []),
        ("reform_impact", []),
    ]
    assert shown[0]["output_bytes"] == len(OUTPUT)
    assert {row["errcode"] for row in shown} == {None}
    assert rerun(client, report)["simulation_ids"] == [row["id"] for row in shown if row["kind"] == "simulation"]


def test_a_preview_of_a_report_that_cannot_be_rerun_shows_its_defect(client: FlaskClient, dba: Connection) -> None:
    report = add_report(dba, 999)
    [shown] = succeeded(client.get(f"/us/report/{report}/rerun"))
    assert (shown["kind"], shown["id"], shown["errcode"]) == ("report", report, "RR002")
    assert shown["message"] == "Report references simulation #999, but it could not be found for country us."


def test_a_rerun_with_the_token_of_a_preview_is_done_while_it_holds(
    client: FlaskClient, dba: Connection, report: int
) -> None:
    path = f"/us/report/{report}/rerun"
    [seen] = [row["seen"] for row in succeeded(client.get(path)) if row["seen"] is not None]
    body, headers = {"seen": seen, "reason": "the model was fixed"}, {"Idempotency-Key": "once"}
    done = succeeded(client.post(path, json=body, headers=headers))
    assert done["run_sequence"] == 2
    before = everything(dba)
    assert succeeded(client.post(path, json=body, headers=headers)) == done
    told = refused(client.post(path, json=body), 409, "RR029")
    assert "run 1 -> 2" in told["message"]
    assert told["hint"]
    for no_token in ("", "x", seen[:-1], "\u00e9", "x" * 100_000):
        refused(client.post(path, json={"seen": no_token}), 400, "RR016")
    for no_text in (7, [seen], {"report": 1}, "\0"):
        refused(client.post(path, json={"seen": no_text}), 400, "BAD_REQUEST")
    other = succeeded(client.get(f"/us/report/{add_report(dba, 1)}/rerun"))[0]["seen"]
    assert "preview of report #" in refused(client.post(path, json={"seen": other}), 400, "RR016")["message"]
    assert everything(dba)["rerun"] == before["rerun"]


def test_a_retry_with_the_same_key_gives_the_first_answer_and_changes_nothing(
    client: FlaskClient, dba: Connection, report: int
) -> None:
    first = rerun(client, report, "4be0643f")
    before = everything(dba)
    assert rerun(client, report, "4be0643f") == first
    assert everything(dba) == before
    assert rerun(client, report, "another")["run_sequence"] == 3


def test_a_key_of_another_report_or_of_an_undone_rerun_is_refused(
    client: FlaskClient, dba: Connection, report: int
) -> None:
    other = add_report(dba, add_simulation(dba, population_type="household"))
    result = rerun(client, report, "once")
    headers = {"Idempotency-Key": "once"}
    before = everything(dba)
    refused(client.post(f"/us/report/{other}/rerun", headers=headers), 409, "RR012")
    assert everything(dba) == before
    undo = f"/us/report/{report}/reruns/{result['rerun_id']}/undo"
    succeeded(client.post(undo))
    before = everything(dba)
    refused(client.post(f"/us/report/{report}/rerun", headers=headers), 409, "RR014")
    refused(client.post(undo), 409, "RR014")
    assert everything(dba) == before


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_that_cannot_be_one_is_refused(client: FlaskClient, dba: Connection, report: int, key: str) -> None:
    before = everything(dba)
    refused(client.post(f"/us/report/{report}/rerun", headers={"Idempotency-Key": key}), 400, "RR016")
    assert everything(dba) == before


def test_a_rerun_is_undone_under_its_own_report_and_country_only(
    client: FlaskClient, dba: Connection, report: int
) -> None:
    other = add_report(dba, add_simulation(dba, population_type="household"))
    rerun_id = rerun(client, report)["rerun_id"]
    before = everything(dba)
    refused(client.post(f"/us/report/{other}/reruns/{rerun_id}/undo"), 404, "RR013")
    refused(client.post(f"/uk/report/{report}/reruns/{rerun_id}/undo"), 404, "RR013")
    refused(client.post(f"/us/report/{report}/reruns/{rerun_id + 1}/undo"), 404, "RR013")
    refused(client.post(f"/zz/report/{report}/reruns/{rerun_id}/undo"), 400, "RR008")
    refused(client.post(f"/us/report/{report}/reruns/{2**63}/undo"), 400, "22003")
    refused(client.post(f"/us/report/{report}/reruns/{rerun_id}/undo", json={"force": "yes"}), 400, "BAD_REQUEST")
    assert everything(dba) == before


def test_an_undo_that_would_overwrite_a_new_result_names_it_and_force_archives_it(
    client: FlaskClient, dba: Connection, report: int
) -> None:
    rerun_id = rerun(client, report)["rerun_id"]
    succeeded(client.patch("/us/report", json={"id": report, "status": "complete", "output": {"new": 1}}))
    before = everything(dba)
    said = refused(client.post(f"/us/report/{report}/reruns/{rerun_id}/undo"), 409, "RR010")
    assert f"report #{report} has a new result (status complete)" in said["message"]
    assert everything(dba) == before

    undone = succeeded(client.post(f"/us/report/{report}/reruns/{rerun_id}/undo", json={"force": True}))
    assert succeeded(client.get(f"/us/report/{report}"))["output"] == OUTPUT
    overwritten = succeeded(client.get(f"/us/report/{report}/runs/{undone['run_sequence'] - 1}"))
    assert overwritten["output"] == '{"new":1}'


@pytest.mark.parametrize("kind", ["report", "simulation"])
def test_the_result_of_a_run_that_has_ended_is_refused(
    client: FlaskClient, dba: Connection, report: int, kind: str
) -> None:
    row = {"report": report, "simulation": 1}[kind]
    read = succeeded(client.get(f"/us/{kind}/{row}"))["run_sequence"]
    rerun(client, report)
    before = everything(dba)
    late = {"id": row, "status": "complete", "output": {"stale": True}, "run_sequence": read}
    said = refused(client.patch(f"/us/{kind}", json=late), 409, "RR011")
    assert said["message"] == (f"{kind.capitalize()} #{row} is at run 2, but this write is for run 1.")
    assert everything(dba) == before
    done = succeeded(client.patch(f"/us/{kind}", json={**late, "run_sequence": read + 1}))
    assert (done["run_sequence"], json.loads(done["output"])) == (2, {"stale": True})


def test_a_result_without_a_run_is_taken_as_before(client: FlaskClient, report: int) -> None:
    rerun(client, report)
    update = {"id": report, "status": "complete", "output": {"late": True}}
    assert succeeded(client.patch("/us/report", json=update))["run_sequence"] == 2


@pytest.mark.parametrize("run", [0, -1, 2**31, "1", 1.5])
def test_a_run_that_is_no_number_of_a_run_is_a_bad_request(shared_client: FlaskClient, run: object) -> None:
    refused(
        shared_client.patch("/us/report", json={"id": 1, "status": "running", "run_sequence": run}), 400, "BAD_REQUEST"
    )


class ActAs:
    """Stands for an authentication whose every token has the same claims."""

    def __init__(self, claims: dict[str, Any]) -> None:
        self._claims = json.dumps(claims)

    def verify(self, _token: str) -> str:
        return self._claims


READ, WRITE, RERUN, ADMIN = (f"reports:{scope}" for scope in ("read", "write", "rerun", "admin"))
NEEDED: list[tuple[str, str, dict[str, Any], set[str]]] = [
    ("GET", "/us/report/{report}", {}, {READ}),
    ("GET", "/us/simulation/1", {}, {READ}),
    ("GET", "/simulations", {}, {READ}),
    ("GET", "/us/simulations", {}, {READ}),
    ("GET", "/us/report/{report}/runs", {}, {READ}),
    ("GET", "/us/report/{report}/runs/1", {}, {READ}),
    ("GET", "/us/report/{report}/runs/last-good", {}, {READ}),
    ("GET", "/reports", {}, {READ}),
    ("GET", "/us/reports", {}, {READ}),
    ("GET", "/us/report/{report}/runs/compare?run_sequence=1&other_run_sequence=1", {}, {READ}),
    ("GET", "/us/report/{report}/rerun", {}, {READ}),
    ("POST", "/us/report", {"simulation_1_id": 1, "year": "2026"}, {WRITE}),
    ("POST", "/us/simulation", {"population_id": "state/ny", "population_type": "geography", "policy_id": 2}, {WRITE}),
    ("PATCH", "/us/report", {"id": "report", "status": "running"}, {WRITE}),
    ("PATCH", "/us/simulation", {"id": 1, "status": "running"}, {WRITE}),
    ("POST", "/us/report/{report}/rerun", {}, {RERUN}),
    ("POST", "/us/report/{report}/reruns/{rerun}/undo", {}, {RERUN}),
    ("POST", "/us/report/{report}/reruns/{rerun}/undo", {"force": True}, {RERUN, ADMIN}),
]


@pytest.mark.needs("time")
@pytest.mark.parametrize(
    ("method", "path", "body", "scopes"), NEEDED, ids=[f"{method} {path} {body}" for method, path, body, _ in NEEDED]
)
def test_each_route_wants_its_scopes_and_no_other(
    new_engine: NewEngine,
    dba: Connection,
    report: int,
    method: str,
    path: str,
    body: dict[str, Any],
    scopes: set[str],
) -> None:
    rerun_id = one(dba, "call rerun_report(%s::bigint)", report)["result"]["rerun_id"]
    address = path.format(report=report, rerun=rerun_id)
    sent = {name: report if value == "report" else value for name, value in body.items()}

    def send(*held: str) -> Any:
        claims = {"sub": "alice", "scope": " ".join(held)}
        client = create_app(new_engine(), ActAs(claims)).test_client()  # type: ignore[arg-type]
        return client.open(address, method=method, json=sent or None, headers={"Authorization": "Bearer x"})

    everything_else = {READ, WRITE, RERUN, ADMIN} - scopes
    before = everything(dba)
    for missing in scopes:
        said = refused(send(*everything_else, *(scopes - {missing})), 403, "RR017")
        assert said["message"] == f"The token of alice does not have the scope {missing}."
    assert everything(dba) == before
    assert send(*scopes).status_code in (200, 201)


def test_without_authentication_every_request_is_the_local_operators(client: FlaskClient, report: int) -> None:
    rerun(client, report)
    assert json.loads(LOCAL_OPERATOR)["sub"] == succeeded(client.get(f"/us/report/{report}/runs"))[0]["actor"]


def test_who_reran_is_the_person_of_the_token(new_engine: NewEngine, dba: Connection, report: int) -> None:
    client = create_app(new_engine(), ActAs({"sub": "alice", "scope": RERUN})).test_client()  # type: ignore[arg-type]
    succeeded(client.post(f"/us/report/{report}/rerun", headers={"Authorization": "Bearer x"}))
    act = one(dba, "select actor, session_role, role_setting from pgreprise.rerun")
    assert (act["actor"], act["role_setting"]) == ("alice", "pgreprise_api")


# --- the preview of an undo ------------------------------------------------------------------


def test_the_preview_of_an_undo_gives_a_token_that_the_undo_keeps_to(
    client: FlaskClient, dba: Connection, report: int
) -> None:
    path = f"/us/report/{report}/reruns/{rerun(client, report)['rerun_id']}/undo"
    before = everything(dba)
    first, *others = succeeded(client.get(path))
    assert (first["kind"], first["id"], first["status"]) == ("report", report, "pending")
    assert first["action"] == "complete, as run 3: the result of run 1 comes back"
    assert [(each["kind"], each["obstacle"], each["can_be_forced"]) for each in others] == [
        ("simulation", None, None),
        ("simulation", None, None),
        ("reform_impact", None, None),
    ]
    assert everything(dba) == before
    succeeded(client.patch("/us/report", json={"id": report, "status": "complete", "output": {}}))
    before = everything(dba)
    for force in (False, True):
        said = refused(client.post(path, json={"seen": first["seen"], "force": force}), 409, "RR029")
        assert f"report #{report} result none -> complete" in said["message"]
    assert everything(dba) == before
    [now, *_] = succeeded(client.get(path))
    assert (now["obstacle"], now["can_be_forced"]) == (f"report #{report} has a new result (status complete)", True)
    refused(client.post(path, json={"seen": now["seen"]}), 409, "RR010")
    undone = succeeded(client.post(path, json={"seen": now["seen"], "force": True}))
    assert undone["run_sequence"] == 3
    [row] = succeeded(client.get(path))
    assert (row["kind"], row["errcode"], row["seen"]) == ("rerun", "RR014", None)


def test_what_has_no_preview_of_an_undo(client: FlaskClient, report: int) -> None:
    act = rerun(client, report)["rerun_id"]
    refused(client.get(f"/us/report/{report + 1}/reruns/{act}/undo"), 404, "RR013")
    refused(client.get(f"/uk/report/{report}/reruns/{act}/undo"), 404, "RR013")
    refused(client.get(f"/zz/report/{report}/reruns/{act}/undo"), 400, "RR008")


def test_an_undo_with_the_same_key_is_done_once(client: FlaskClient, dba: Connection, report: int) -> None:
    path = f"/us/report/{report}/reruns/{rerun(client, report, 'of the rerun')['rerun_id']}/undo"
    refused(client.post(path, headers={"Idempotency-Key": "of the rerun"}), 409, "RR012")
    headers = {"Idempotency-Key": "of the undo"}
    first = succeeded(client.post(path, headers=headers))
    before = everything(dba)
    assert succeeded(client.post(path, headers=headers)) == first
    refused(client.post(path), 409, "RR014")
    assert everything(dba) == before
