"""An application says why it reruns a report, and reads afterwards who did what; requests are named in replies."""

from __future__ import annotations

import logging
import uuid
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.databases import Connection
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.replies import refused, succeeded
from tests.support.snapshots import everything
from tests.support.statements import newest_act


@pytest.fixture
def report(dba: Connection) -> int:
    """A report that can be rerun."""
    set_versions(dba)
    return add_report(dba, add_simulation(dba, population_type="household"))


def rerun(client: FlaskClient, report: int, **more: Any) -> dict[str, Any]:
    result: dict[str, Any] = succeeded(client.post(f"/us/report/{report}/rerun", **more))
    return result


@pytest.mark.parametrize(
    "more",
    [
        {"json": {"reason": "model fixed: naïve ré"}},
        {"headers": {"X-Reason": "model fixed: naïve ré".encode().decode("latin-1")}},
        {"json": {"reason": "model fixed: naïve ré"}, "headers": {"X-Reason": "another"}},
        {"json": {}, "headers": {"X-Reason": "model fixed: naïve ré".encode().decode("latin-1")}},
    ],
    ids=["body", "header", "both", "empty body"],
)
def test_the_reason_of_a_rerun_and_of_an_undo_is_kept(
    client: FlaskClient, dba: Connection, report: int, more: dict[str, Any]
) -> None:
    act = rerun(client, report, **more)["rerun_id"]
    assert newest_act(dba)["reason"] == "model fixed: naïve ré"
    succeeded(client.post(f"/us/report/{report}/reruns/{act}/undo", **more))
    assert newest_act(dba)["reason"] == "model fixed: naïve ré"
    undo, done = succeeded(client.get("/reruns"))
    assert [undo["reason"], done["reason"], undo["undoes"]] == ["model fixed: naïve ré", "model fixed: naïve ré", act]
    assert [run["reason"] for run in succeeded(client.get(f"/us/report/{report}/runs"))] == [
        "model fixed: naïve ré",
        "model fixed: naïve ré",
        None,
    ]


def test_a_header_in_latin_1_is_a_reason_too(client: FlaskClient, dba: Connection, report: int) -> None:
    rerun(client, report, headers={"X-Reason": "réparé"})
    assert newest_act(dba)["reason"] == "réparé"


@pytest.mark.parametrize(
    "more",
    [
        {"json": {"reason": "x" * 1001}},
        {"headers": {"X-Reason": "x" * 1001}},
        {"json": {"reason": 7}},
        {"json": {"reason": "a\0b"}},
        {"json": {"why": "x"}},
    ],
)
def test_a_reason_that_cannot_be_kept_is_refused_and_nothing_is_done(
    client: FlaskClient, dba: Connection, report: int, more: dict[str, Any]
) -> None:
    before = everything(dba)
    assert client.post(f"/us/report/{report}/rerun", **more).status_code == 400
    assert everything(dba) == before


def test_the_id_that_a_request_brings_is_in_its_reply_and_with_its_act(
    client: FlaskClient, dba: Connection, report: int
) -> None:
    reply = client.post(
        f"/us/report/{report}/rerun",
        headers={"X-Request-Id": "proxy-1/7"},
        environ_overrides={"REMOTE_ADDR": "192.0.2.7"},
    )
    assert reply.headers["X-Request-Id"] == "proxy-1/7"
    act = newest_act(dba)
    assert (act["request_id"], act["client_address"]) == ("proxy-1/7", "192.0.2.7")
    [listed] = succeeded(client.get("/reruns"))
    assert (listed["request_id"], listed["client_address"]) == ("proxy-1/7", "192.0.2.7")


@pytest.mark.parametrize("sent", [None, "", "x" * 201, "a b", "é", '"', "a\tb"])
def test_a_request_without_a_usable_id_gets_a_new_one(
    client: FlaskClient, dba: Connection, report: int, sent: str | None
) -> None:
    reply = client.post(f"/us/report/{report}/rerun", headers={} if sent is None else {"X-Request-Id": sent})
    named = reply.headers["X-Request-Id"]
    assert str(uuid.UUID(named)) == named
    assert newest_act(dba)["request_id"] == named


@pytest.mark.parametrize("path", ["/us/report/999999", "/nowhere", "/readiness-check", "/api/v1/carbon-reports/1/"])
def test_every_reply_names_its_request(client: FlaskClient, path: str) -> None:
    reply = client.get(path, headers={"X-Request-Id": "r7"})
    assert reply.headers["X-Request-Id"] == "r7"


def test_an_unexpected_error_is_logged_under_the_id_of_its_request(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_more: object) -> None:
        raise RuntimeError("what nobody expected")

    monkeypatch.setattr("pyapi.database.call", fail)
    with caplog.at_level(logging.ERROR):
        reply = client.get("/reruns", headers={"X-Request-Id": "r7"})
    assert reply.status_code == 500
    assert "under the id r7." in reply.get_json()["message"]
    assert "r7 GET" in caplog.text


def test_the_history_is_listed_by_conditions_and_in_pages(client: FlaskClient, report: int) -> None:
    acts = [rerun(client, report)["rerun_id"] for _ in range(3)]

    def listed(query: str) -> list[int]:
        return [act["rerun_id"] for act in succeeded(client.get(f"/reruns?{query}"))]

    assert listed(f"report_id={report}&country_id=us&kind=rerun") == acts[::-1]
    assert listed("max_rows=2") == acts[:0:-1]
    assert listed(f"max_rows=2&before={acts[1]}") == [acts[0]]
    assert listed(f"rerun_id={acts[1]}") == [acts[1]]
    assert listed(f"rerun_id={acts[1]}&kind=undo") == []
    assert listed("since=2126-01-01T00:00:00Z") == []
    assert listed("until=2126-01-01T00:00:00%2B01:00&kind=undo") == []
    # The last of a repeated parameter counts.
    assert listed("kind=undo&kind=rerun") == acts[::-1]


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday",
        "since=0",
        "since=2026-01-01T00:00:00",
        "kind=purge",
        "report_id=0",
        "report_id=x",
        "rerun_id=0",
        "max_rows=0",
        "max_rows=1001",
        "before=-1",
        "dry_run=true",
        "actor=%00",
    ],
)
def test_a_query_that_cannot_be_used_is_refused(client: FlaskClient, query: str) -> None:
    refused(client.get(f"/reruns?{query}"), 400, "BAD_REQUEST")


def test_a_country_that_does_not_exist_has_no_history(client: FlaskClient) -> None:
    refused(client.get("/reruns?country_id=zz"), 400, "RR008")
