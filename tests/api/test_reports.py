"""A frontend works with reports over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.databases import Connection
from tests.support.factories import VERSIONS, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.replies import refused, succeeded
from tests.support.snapshots import snapshot
from tests.support.statements import one


def test_rerunning_an_economy_report_resets_it_with_its_simulations_and_drops_its_cache_row(
    client: FlaskClient, dba: Connection
) -> None:
    set_versions(dba)
    baseline = add_simulation(dba, policy_id=2)
    reform = add_simulation(dba, policy_id=3)
    report = add_report(dba, baseline, reform)
    add_reform_impact(dba, baseline_policy_id=2, reform_policy_id=3)
    kept = add_reform_impact(dba, baseline_policy_id=2, reform_policy_id=4)

    response = client.post(f"/us/report/{report}/rerun")

    assert succeeded(response) == {
        "report_id": report,
        "report_type": "geography",
        "simulation_ids": [baseline, reform],
        "economy_cache_rows_deleted": 1,
        "run_sequence": 2,
        "rerun_id": 1,
    }
    assert response.json is not None
    assert response.json["message"] == "Report rerun reset successfully"
    after = snapshot(dba)
    assert {row["status"] for row in (*after["report_outputs"], *after["simulations"])} == {"pending"}
    assert [row["reform_impact_id"] for row in after["reform_impact"]] == [kept]


def test_rerunning_a_household_report_needs_no_versions(client: FlaskClient, dba: Connection) -> None:
    simulation = add_simulation(dba, population_type="household", population_id="40000")
    report = add_report(dba, simulation)
    assert succeeded(client.post(f"/us/report/{report}/rerun"))["report_type"] == "household"


def test_a_rerun_takes_no_body_and_ignores_one(client: FlaskClient, dba: Connection) -> None:
    report = add_report(dba, add_simulation(dba, population_type="household"))
    succeeded(client.post(f"/us/report/{report}/rerun", data="not JSON", content_type="text/plain"))


def test_a_report_is_created_once_and_then_found(client: FlaskClient, dba: Connection) -> None:
    set_versions(dba)
    baseline, reform = add_simulation(dba, policy_id=2), add_simulation(dba, policy_id=3)
    wanted = {"simulation_1_id": baseline, "simulation_2_id": reform, "year": "2026"}

    created = succeeded(client.post("/us/report", json=wanted), 201)

    assert created == {
        "id": created["id"],
        "country_id": "us",
        "simulation_1_id": baseline,
        "simulation_2_id": reform,
        "api_version": VERSIONS["us"]["report_output"],
        "status": "pending",
        "output": None,
        "error_message": None,
        "year": "2026",
        "run_sequence": 1,
    }
    assert succeeded(client.post("/us/report", json=wanted), 200) == created
    assert succeeded(client.get(f"/us/report/{created['id']}")) == created
    assert len(snapshot(dba)["report_outputs"]) == 1


def test_a_report_of_one_simulation_needs_no_second_and_no_year(client: FlaskClient, dba: Connection) -> None:
    set_versions(dba)
    created = succeeded(client.post("/us/report", json={"simulation_1_id": add_simulation(dba)}), 201)
    assert created["simulation_2_id"] is None
    assert len(created["year"]) == 4


def test_reading_a_stale_report_shows_the_stored_row_and_creates_none(client: FlaskClient, dba: Connection) -> None:
    set_versions(dba)
    report = add_report(dba, add_simulation(dba), api_version="stale")
    before = snapshot(dba)
    assert succeeded(client.get(f"/us/report/{report}"))["api_version"] == "stale"
    assert snapshot(dba) == before


def test_output_is_read_as_the_json_text_that_is_stored(client: FlaskClient, dba: Connection) -> None:
    text = '{ "b": 1.10,\n"a" : "£" }'
    report = add_report(dba, add_simulation(dba), output=text)
    assert succeeded(client.get(f"/us/report/{report}"))["output"] == text


def test_an_update_writes_what_is_given_and_leaves_the_rest(client: FlaskClient, dba: Connection) -> None:
    report = add_report(dba, add_simulation(dba), output='{"old": 1}', error_message="old")
    updated = succeeded(client.patch("/us/report", json={"id": report, "status": "running", "error_message": None}))
    assert (updated["id"], updated["status"]) == (report, "running")
    assert (updated["output"], updated["error_message"]) == ('{"old": 1}', "old")
    assert succeeded(client.get(f"/us/report/{report}")) == updated


def test_an_output_may_be_an_object(client: FlaskClient, dba: Connection) -> None:
    report = add_report(dba, add_simulation(dba), status="pending", output=None)
    output = {"z": [1, 2.5, True, None], "name": "Île-de-France 😀", "empty": {}}
    updated = succeeded(client.patch("/us/report", json={"id": report, "status": "complete", "output": output}))
    assert json.loads(updated["output"]) == output
    assert updated["status"] == "complete"


@pytest.mark.parametrize(
    "text",
    [
        ' {"b": 1.10, "a": 1e400,\t"b": 12345678901234567890.5} ',
        '"\\\\u0000 is a backslash and text"',
        "[1, 2]",
        "1" * 5000,
    ],
)
def test_an_output_given_as_json_text_is_stored_byte_for_byte(client: FlaskClient, dba: Connection, text: str) -> None:
    report = add_report(dba, add_simulation(dba))
    assert succeeded(client.patch("/us/report", json={"id": report, "output": text}))["output"] == text
    assert one(dba, "select output::text as stored from public.report_outputs") == {"stored": text}


@pytest.mark.parametrize(
    ("output", "code"),
    [
        ('"NaN"', "22P02"),
        ('"{\\"a\\": Infinity}"', "22P02"),
        ("\"{'a': 1}\"", "22P02"),
        ('""', "22P02"),
        ('{"a": NaN}', "BAD_REQUEST"),
        ('{"a": [-Infinity]}', "BAD_REQUEST"),
        ('{"a": 1e400}', "BAD_REQUEST"),
        ('{"a": "\\u0000"}', "BAD_REQUEST"),
        ('"{\\"a\\": \\"\\\\u0000\\"}"', "BAD_REQUEST"),
        ('"\\u0000"', "BAD_REQUEST"),
        ('{"a": "\\ud800"}', "BAD_REQUEST"),
        ("[1]", "BAD_REQUEST"),
        ("1", "BAD_REQUEST"),
        ("true", "BAD_REQUEST"),
        ('{"a":' * 300 + "1" + "}" * 300, "BAD_REQUEST"),
        (json.dumps("[" * 100_000 + "]" * 100_000), "54001"),
    ],
)
def test_an_output_that_cannot_be_stored_as_json_is_refused(
    shared_client: FlaskClient, shared_report: dict[str, Any], output: str, code: str
) -> None:
    body = f'{{"id": {shared_report["id"]}, "output": {output}}}'
    refused(shared_client.patch("/us/report", data=body, content_type="application/json"), 400, code)
    assert succeeded(shared_client.get(f"/us/report/{shared_report['id']}")) == shared_report


@pytest.mark.parametrize(
    "update",
    [{}, {"status": "complete"}, {"status": "finished"}, {"status": None, "output": None}, {"status": ""}],
)
def test_an_update_that_cannot_be_written_is_refused(
    shared_client: FlaskClient, shared_report: dict[str, Any], update: dict[str, Any]
) -> None:
    refused(shared_client.patch("/us/report", json={"id": shared_report["id"], **update}), 400, "RR016")
    assert succeeded(shared_client.get(f"/us/report/{shared_report['id']}")) == shared_report


@pytest.fixture(scope="module")
def shared_report(shared_connection: Connection, shared_client: FlaskClient) -> dict[str, Any]:
    """A report that refused updates leave as it is."""
    report = add_report(shared_connection, add_simulation(shared_connection))
    read: dict[str, Any] = succeeded(shared_client.get(f"/us/report/{report}"))
    return read
