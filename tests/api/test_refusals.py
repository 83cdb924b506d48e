"""What the API refuses leaves a count, and nothing else."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask.testing import FlaskClient

from pyapi.api.app import create_app
from tests.support.api import NewEngine
from tests.support.databases import Connection
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.replies import refused, succeeded
from tests.support.snapshots import everything
from tests.support.tokens import SECRET, authentication, claims, signed


def counted(dba: Connection) -> list[tuple[Any, ...]]:
    rows = dba.execute(
        "select kind, errcode, sum(refusals)::bigint as refusals from pgreprise.refusal group by 1, 2 order by 1, 2"
    ).fetchall()
    return [tuple(row.values()) for row in rows]


@pytest.fixture
def report(dba: Connection) -> int:
    """A report of a household."""
    set_versions(dba)
    return add_report(dba, add_simulation(dba, population_type="household"))


def test_a_refused_act_is_counted_once_and_changes_nothing_else(client: FlaskClient, dba: Connection) -> None:
    broken = add_report(dba, 999)
    before = everything(dba)
    refused(client.post(f"/us/report/{broken}/rerun"), 400, "RR002")
    assert counted(dba) == [("rerun", "RR002", 1)]
    assert everything(dba) == before


def test_each_kind_of_act_is_counted_by_its_code(client: FlaskClient, dba: Connection, report: int) -> None:
    for _ in range(3):
        refused(client.post(f"/us/report/{report}/cancel"), 409, "RR020")
    act = succeeded(client.post(f"/us/report/{report}/rerun"))["rerun_id"]
    refused(client.post("/us/report/999/rerun"), 404, "RR001")
    refused(client.post(f"/us/report/{report}/reruns/999/undo"), 404, "RR013")
    refused(client.post("/zz/report/1/rerun", json={"reason": "x"}), 400, "RR008")
    succeeded(client.post(f"/us/report/{report}/reruns/{act}/undo"))
    assert counted(dba) == [
        ("cancel_run", "RR020", 3),
        ("rerun", "RR001", 1),
        ("rerun", "RR008", 1),
        ("undo", "RR013", 1),
    ]


def test_what_is_no_act_and_what_the_database_never_saw_is_not_counted(
    client: FlaskClient, dba: Connection, report: int
) -> None:
    refused(client.get("/us/report/999"), 404, "RR001")
    refused(client.get("/us/report/999/rerun"), 404, "RR001")
    refused(client.patch("/us/report", json={"id": 999, "status": "error"}), 404, "RR001")
    refused(client.post("/us/report", json={"simulation_1_id": 999}), 400, "RR002")
    refused(client.post(f"/us/report/{report}/rerun?dry_run=true"), 400, "BAD_REQUEST")
    refused(client.post(f"/us/report/{report}/rerun", json={"seen": 1}), 400, "BAD_REQUEST")
    assert counted(dba) == []


def test_who_may_not_act_is_not_counted(new_engine: NewEngine, dba: Connection) -> None:
    client = create_app(new_engine(), authentication(jwt_secret=SECRET)).test_client()
    bearer = {"Authorization": f"Bearer {signed()}"}
    refused(client.post("/us/report/999/rerun", headers=bearer), 403, "RR017")
    refused(client.post("/us/report/999/rerun"), 401, "UNAUTHORIZED")
    assert counted(dba) == []
    rerunner = {"Authorization": f"Bearer {signed(claims(scope='reports:rerun'))}"}
    refused(client.post("/us/report/999/rerun", headers=rerunner), 404, "RR001")
    assert counted(dba) == [("rerun", "RR001", 1)]


@pytest.mark.parametrize(
    "obstacle",
    [
        "revoke execute on function public.record_refusal from pgreprise_api",
        "drop function public.record_refusal",
        "alter table pgreprise.refusal add constraint nothing check (refusals < 0)",
    ],
)
def test_what_cannot_be_counted_is_refused_all_the_same(
    client: FlaskClient, dba: Connection, caplog: pytest.LogCaptureFixture, obstacle: str
) -> None:
    dba.execute(obstacle.encode())
    with caplog.at_level(logging.WARNING):
        said = refused(client.post("/us/report/999/rerun"), 404, "RR001")
    assert said["message"] == "Report #999 not found."
    [warning] = [record.getMessage() for record in caplog.records if "not counted" in record.getMessage()]
    assert "the refusal RR001 was not counted" in warning
    assert counted(dba) == []


def test_a_server_that_is_read_only_still_says_why(
    new_engine: NewEngine, dba: Connection, report: int, caplog: pytest.LogCaptureFixture
) -> None:
    client = create_app(new_engine("-c default_transaction_read_only=on")).test_client()
    # The country is looked up before anything is written.
    with caplog.at_level(logging.WARNING):
        refused(client.post(f"/zz/report/{report}/cancel"), 400, "RR008")
    assert any("was not counted" in record.getMessage() for record in caplog.records)
    assert counted(dba) == []
