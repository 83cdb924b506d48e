"""A frontend works with reports over HTTP."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from pyapi.schema.files import sql_folder
from tests.support.databases import Connection
from tests.support.factories import (
    REPORT_OF_HOST,
    SCOPE,
    VERSIONS,
    add_reform_impact,
    add_report,
    add_simulation,
    set_versions,
    without_times,
)
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
        "cache_scopes": [SCOPE],
        "run_sequence": 2,
        "rerun_id": 1,
        "same_key_report_ids": [],
        "shown_report_id": report,
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


@pytest.mark.parametrize(
    "sent", [{}, {"json": {}}, {"data": "", "content_type": "application/json"}], ids=["nothing", "an object", "empty"]
)
def test_a_rerun_needs_no_body(client: FlaskClient, dba: Connection, sent: dict[str, Any]) -> None:
    report = add_report(dba, add_simulation(dba, population_type="household"))
    succeeded(client.post(f"/us/report/{report}/rerun", **sent))


@pytest.mark.parametrize("path", ["rerun", "reruns/1/undo"])
@pytest.mark.parametrize(
    "sent",
    [
        {"json": {"dry_run": True}},
        {"json": {"idempotency_key": "k"}},
        {"json": []},
        {"data": "{", "content_type": "application/json"},
        {"data": "null", "content_type": "application/json"},
        {"data": "dry_run"},
        {"query_string": "dry_run=true"},
        {"query_string": "force"},
        {"query_string": "="},
    ],
    ids=str,
)
def test_what_acts_refuses_what_it_does_not_know(
    client: FlaskClient, dba: Connection, path: str, sent: dict[str, Any]
) -> None:
    report = add_report(dba, add_simulation(dba, population_type="household"))
    if path != "rerun":
        dba.execute("call rerun_report(%s::bigint)", (report,))
    before = snapshot(dba)
    refused(client.post(f"/us/report/{report}/{path}", **sent), 400, "BAD_REQUEST")
    assert snapshot(dba) == before


def test_a_report_is_created_once_and_then_found(client: FlaskClient, dba: Connection) -> None:
    set_versions(dba)
    baseline, reform = add_simulation(dba, policy_id=2), add_simulation(dba, policy_id=3)
    wanted = {"simulation_1_id": baseline, "simulation_2_id": reform, "year": "2026"}

    created = succeeded(client.post("/us/report", json=wanted), 201)

    assert without_times(created) == {
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
        **REPORT_OF_HOST,
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
    report = add_report(dba, add_simulation(dba), output='{"old": 1}', error_message="old", status="pending")
    updated = succeeded(client.patch("/us/report", json={"id": report, "status": "running", "error_message": None}))
    assert (updated["id"], updated["status"]) == (report, "running")
    assert (updated["output"], updated["error_message"]) == ('{"old": 1}', "old")
    assert succeeded(client.get(f"/us/report/{report}")) == updated


@pytest.mark.parametrize(
    "output",
    [{"z": [1, 2.5, True, None], "name": "Île-de-France 😀", "empty": {}}, [], [1, {"a": None}], 0, 1.5, True, False],
    ids=str,
)
def test_an_output_may_be_any_json_value(client: FlaskClient, dba: Connection, output: object) -> None:
    report = add_report(dba, add_simulation(dba), status="pending", output=None)
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
    report = add_report(dba, add_simulation(dba), status="running")
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
        ("[1e400]", "BAD_REQUEST"),
        ('["\\u0000"]', "BAD_REQUEST"),
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
    [
        {},
        {"api_version": "1"},
        {"status": "complete"},
        {"status": "finished"},
        {"status": None, "output": None},
        {"status": ""},
    ],
)
def test_an_update_that_cannot_be_written_is_refused(
    shared_client: FlaskClient, shared_report: dict[str, Any], update: dict[str, Any]
) -> None:
    refused(shared_client.patch("/us/report", json={"id": shared_report["id"], **update}), 400, "RR016")
    assert succeeded(shared_client.get(f"/us/report/{shared_report['id']}")) == shared_report


@pytest.fixture(scope="module")
def shared_report(shared_connection: Connection, shared_client: FlaskClient) -> dict[str, Any]:
    """A report that refused updates leave as it is."""
    report = add_report(shared_connection, add_simulation(shared_connection), status="running")
    read: dict[str, Any] = succeeded(shared_client.get(f"/us/report/{report}"))
    return read


# --- texts and fields of the application ------------------------------------------------------


def test_messages_are_those_of_the_application(client: FlaskClient, dba: Connection) -> None:
    set_versions(dba)
    new = {"simulation_1_id": add_simulation(dba), "year": "2026", "api_version": "1", "colour": "blue"}

    def message(response: Any) -> Any:
        return response.json["message"]

    created = client.post("/us/report", json=new)
    assert message(created) == "Report output created successfully"
    assert message(client.post("/us/report", json=new)) == "Report output already exists"
    report = succeeded(created, 201)["id"]
    assert message(client.get(f"/us/report/{report}")) is None
    update = {"id": report, "status": "running", "api_version": "1", "colour": "blue"}
    assert message(client.patch("/us/report", json=update)) == "Report output updated successfully"
    nothing = {"id": report, "api_version": "1"}
    assert message(client.patch("/us/report", json=nothing)) == "400 Bad Request: No fields to update"
    assert message(client.get("/us/report/99")) == "404 Not Found: Report #99 not found."
    assert message(client.get("/zz/report/99")).startswith("Country zz not found. Available countries are: ")
    assert message(client.get("/nowhere")).startswith("404 Not Found: ")


@pytest.mark.parametrize("year", ["2025-26", " ", "x" * 255, "soon"])
def test_a_year_is_any_text_that_fits(client: FlaskClient, dba: Connection, year: str) -> None:
    set_versions(dba)
    simulation = add_simulation(dba, population_type="household")
    wanted = {"simulation_1_id": simulation, "year": year}
    assert succeeded(client.post("/us/report", json=wanted), 201)["year"] == year


@pytest.mark.direct
def test_a_report_has_the_fields_and_the_times_of_the_application(client: FlaskClient, dba: Connection) -> None:
    set_versions(dba)
    with dba.transaction():
        for table in ("report_output_runs", "simulation_runs"):
            dba.execute((sql_folder() / "reports" / "host_runs" / f"{table}.sql").read_bytes())
            dba.execute(f"grant select, insert, update on public.{table} to pgreprise_owner")
        dba.execute("update pgreprise.setting set has_run_tables = true")
    report = add_report(
        dba,
        add_simulation(dba),
        status="running",
        report_kind="economy_single",
        report_spec_json={"dataset": "default"},
        report_spec_schema_version=1,
        report_spec_status="explicit",
        active_run_id="a",
    )
    dba.execute(
        "insert into public.report_output_runs "
        "(id, report_output_id, run_sequence, status, trigger_type, requested_at) "
        "values ('a', %s, 1, 'pending', 'initial', '2026-08-14 15:17:37')",
        (report,),
    )
    dba.execute("set timezone = 'Asia/Tokyo'")
    expected = {
        "report_kind": "economy_single",
        "report_spec_json": {"dataset": "default"},
        "report_spec_schema_version": 1,
        "report_spec_status": "explicit",
        "active_run_id": "a",
        "latest_successful_run_id": None,
        "requested_at": "2026-08-14T15:17:37Z",
        "started_at": None,
        "finished_at": None,
    }
    read = succeeded(client.get(f"/us/report/{report}"))
    assert {name: read[name] for name in expected} == expected
    done = succeeded(client.patch("/us/report", json={"id": report, "status": "complete", "output": 1}))
    assert (done["active_run_id"], done["latest_successful_run_id"]) == (None, "a")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", done["finished_at"])
    assert succeeded(client.get(f"/us/report/{report}")) == done


def test_a_finished_report_is_not_un_finished(client: FlaskClient, dba: Connection) -> None:
    report = add_report(dba, add_simulation(dba))
    before = snapshot(dba)
    said = refused(client.patch("/us/report", json={"id": report, "status": "running"}), 409, "RR020")
    assert said["message"] == f"Report #{report} is at status complete, and a finished run is not un-finished."
    # The very same result is answered with what is stored.
    again = succeeded(client.patch("/us/report", json={"id": report, "status": "complete", "output": {"budget": 2}}))
    assert again["output"] == '{"budget": 2}'
    assert snapshot(dba) == before


# --- the economy cache ------------------------------------------------------------------------


@pytest.mark.direct
def test_the_cache_rows_that_were_started_last_are_listed_with_all_columns(
    client: FlaskClient, dba: Connection
) -> None:
    dba.execute("alter table public.reform_impact add colour text default 'blue'")
    ids = [add_reform_impact(dba, start_time=f"2026-04-01 00:0{minute}:00") for minute in (2, 3, 1)]
    other = add_reform_impact(dba, country_id="uk", start_time=None)
    listed = succeeded(client.get("/simulations"))
    assert [row["reform_impact_id"] for row in listed] == [ids[1], ids[0], ids[2], other]
    assert listed[0] == {
        **SCOPE,
        "reform_impact_id": ids[1],
        "options_json": {},
        "options_hash": "[]",
        "reform_impact_json": {"budget": 3},
        "status": "ok",
        "message": None,
        "start_time": "2026-04-01T00:03:00",
        "end_time": None,
        "execution_id": "job",
        "colour": "blue",
    }
    assert [row["reform_impact_id"] for row in succeeded(client.get("/uk/simulations"))] == [other]
    refused(client.get("/zz/simulations"), 400, "RR008")


@pytest.mark.parametrize(
    ("asked", "listed"),
    [("", 100), ("ten", 100), ("1.5", 100), ("0", 1), ("-5", 1), ("2", 2), ("9" * 30, 101), ("-" + "9" * 30, 1)],
)
def test_the_number_of_cache_rows_is_limited(client: FlaskClient, dba: Connection, asked: str, listed: int) -> None:
    add_reform_impact(dba)
    dba.execute(
        "insert into public.reform_impact (baseline_policy_id, reform_policy_id, country_id, region, dataset, "
        "time_period, api_version, reform_impact_json, status, execution_id) select number, 1, 'us', 'us', 'd', '1', "
        "'e', '{}', 'ok', 'x' from generate_series(1, 100) as number"
    )
    assert len(succeeded(client.get("/us/simulations", query_string={"max_results": asked}))) == listed
