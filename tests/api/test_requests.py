"""A request that makes no sense is refused in the envelope, whatever is wrong with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.databases import Connection
from tests.support.factories import add_simulation, set_versions
from tests.support.replies import refused, succeeded
from tests.support.snapshots import snapshot

BEYOND_BIGINT = 2**63


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/us",
        "/us/report",
        "/us/report/",
        "/us/report/one",
        "/us/report/-1",
        "/us/report/1.5",
        "/us/report/1/",
        "/us/report/1/rerun/",
        "/us//report/1",
        "//us/report/1",
        "/us/report/" + "9" * 5000,
        "/static/app.py",
    ],
)
def test_an_unknown_path_is_refused_and_never_redirected(shared_client: FlaskClient, path: str) -> None:
    # The client would take a host from a path with two slashes.
    response = shared_client.get(path, headers={"Host": "localhost"})
    known_for_other_methods = path == "/us/report"
    refused(response, *((405, "METHOD_NOT_ALLOWED") if known_for_other_methods else (404, "NOT_FOUND")))


@pytest.mark.parametrize("method", ["DELETE", "PUT", "OPTIONS", "TRACE", "NONSENSE"])
def test_an_unknown_method_is_refused_and_the_known_ones_are_named(shared_client: FlaskClient, method: str) -> None:
    response = shared_client.open("/us/report", method=method)
    refused(response, 405, "METHOD_NOT_ALLOWED")
    assert set(response.headers["Allow"].split(", ")) == {"PATCH", "POST"}


@pytest.mark.parametrize("row_id", [BEYOND_BIGINT, 10**30, 0])
@pytest.mark.parametrize("path", ["/us/report/{}", "/us/simulation/{}"])
def test_an_id_that_no_row_can_have_is_refused(shared_client: FlaskClient, path: str, row_id: int) -> None:
    response = shared_client.get(path.format(row_id))
    assert response.status_code in (400, 404)
    refused(response, response.status_code, "22003" if row_id else ("RR001" if "report" in path else "RR007"))


def test_an_id_beyond_bigint_cannot_be_rerun(shared_client: FlaskClient) -> None:
    refused(shared_client.post(f"/us/report/{BEYOND_BIGINT}/rerun"), 400, "22003")


@pytest.mark.parametrize("country_id", ["zz", "US", "%20", "%25s", "';--", "€", "%ff"])
def test_a_country_that_does_not_exist_is_judged_by_the_database(shared_client: FlaskClient, country_id: str) -> None:
    refused(shared_client.get(f"/{country_id}/report/1"), 400, "RR008")


@pytest.mark.parametrize("path", ["/u%00/report/1", "/%00/simulation/1"])
def test_a_nul_in_the_path_is_refused(shared_client: FlaskClient, path: str) -> None:
    refused(shared_client.get(path), 400, "BAD_REQUEST")


REPORT = {"simulation_1_id": 1}
SIMULATION = {"population_id": "1", "population_type": "household", "policy_id": 1}
UPDATE = {"id": 1, "status": "running"}


@pytest.mark.parametrize(
    ("method", "path", "body", "named"),
    [
        ("POST", "/us/report", {}, "simulation_1_id"),
        ("POST", "/us/report", {"simulation_1_id": None}, "simulation_1_id"),
        ("POST", "/us/report", {"simulation_1_id": "1"}, "simulation_1_id"),
        ("POST", "/us/report", {"simulation_1_id": 1.0}, "simulation_1_id"),
        ("POST", "/us/report", {"simulation_1_id": True}, "simulation_1_id"),
        ("POST", "/us/report", {"simulation_1_id": [1]}, "simulation_1_id"),
        ("POST", "/us/report", {"simulation_1_id": 0}, "simulation_1_id"),
        ("POST", "/us/report", {"simulation_1_id": BEYOND_BIGINT}, "simulation_1_id"),
        ("POST", "/us/report", {**REPORT, "simulation_2_id": BEYOND_BIGINT}, "simulation_2_id"),
        ("POST", "/us/report", {**REPORT, "year": 2025}, "year"),
        ("POST", "/us/report", {**REPORT, "year": "20\x0025"}, "year"),
        ("POST", "/us/simulation", {}, "population_id"),
        ("POST", "/us/simulation", {**SIMULATION, "population_id": 1}, "population_id"),
        ("POST", "/us/simulation", {**SIMULATION, "population_id": "\x00"}, "population_id"),
        ("POST", "/us/simulation", {**SIMULATION, "population_type": "\x00"}, "population_type"),
        ("POST", "/us/simulation", {**SIMULATION, "policy_id": "1"}, "policy_id"),
        ("POST", "/us/simulation", {**SIMULATION, "policy_id": 2**31}, "policy_id"),
        ("POST", "/us/simulation", {**SIMULATION, "policy_id": -(2**31) - 1}, "policy_id"),
        ("PATCH", "/us/report", {"status": "running"}, "id"),
        ("PATCH", "/us/report", {**UPDATE, "id": "1"}, "id"),
        ("PATCH", "/us/report", {**UPDATE, "id": BEYOND_BIGINT}, "id"),
        ("PATCH", "/us/report", {**UPDATE, "status": 1}, "status"),
        ("PATCH", "/us/report", {**UPDATE, "status": "run\x00"}, "status"),
        ("PATCH", "/us/report", {**UPDATE, "error_message": "\x00"}, "error_message"),
        ("PATCH", "/us/simulation", {**UPDATE, "error_message": {}}, "error_message"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_by_name(
    shared_client: FlaskClient, method: str, path: str, body: dict[str, Any], named: str
) -> None:
    envelope = refused(shared_client.open(path, method=method, json=body), 400, "BAD_REQUEST")
    assert f"{named}: " in envelope["message"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b"1", b'"text"', b"\xff\xfe", b'{"simulation_1_id": 1,}', b"{'simulation_1_id': 1}"],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/us/report"), ("PATCH", "/us/simulation")])
def test_a_body_that_is_not_a_json_object_is_refused(
    shared_client: FlaskClient, method: str, path: str, body: bytes
) -> None:
    refused(shared_client.open(path, method=method, data=body, content_type="application/json"), 400, "BAD_REQUEST")


def test_the_first_few_of_many_problems_are_told(shared_client: FlaskClient) -> None:
    body = {f"{'x' * 1000}{number}": 1 for number in range(1000)}
    message = refused(shared_client.post("/us/report/1/rerun", json=body), 400, "BAD_REQUEST")["message"]
    assert len(message) < 1000
    assert "and 997 more" in message


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data"])
def test_a_body_that_says_it_is_not_json_is_refused(shared_client: FlaskClient, content_type: str) -> None:
    response = shared_client.post("/us/report", data=json.dumps(REPORT), content_type=content_type)
    assert "application/json" in refused(response, 415, "UNSUPPORTED_MEDIA_TYPE")["message"]


@pytest.mark.parametrize("content_type", [None, "application/json", "application/json; charset=utf-8"])
def test_a_json_body_needs_no_content_type(client: FlaskClient, dba: Connection, content_type: str | None) -> None:
    set_versions(dba)
    body = json.dumps({"simulation_1_id": add_simulation(dba)})
    succeeded(client.post("/us/report", data=body, content_type=content_type), 201)


def test_a_body_longer_than_32_mib_is_refused(shared_client: FlaskClient) -> None:
    body = b" " * (32 * 1024 * 1024 + 1)
    response = shared_client.patch("/us/report", data=body, content_type="application/json")
    refused(response, 413, "REQUEST_ENTITY_TOO_LARGE")


def test_a_text_longer_than_its_column_is_refused(client: FlaskClient, dba: Connection) -> None:
    set_versions(dba)
    before = snapshot(dba)
    refused(client.post("/us/simulation", json={**SIMULATION, "population_id": "x" * 256}), 400, "RR016")
    assert snapshot(dba) == before
