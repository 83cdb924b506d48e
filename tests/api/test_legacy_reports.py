"""The application reruns the reports of a real legacy database over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import URL

from tests.support import legacy
from tests.support.databases import Connection
from tests.support.replies import refused, succeeded
from tests.support.snapshots import snapshot


@pytest.fixture
def database(legacy_copy: URL) -> URL:
    """A fresh import of the test's own."""
    return legacy_copy


@pytest.mark.parametrize("example", [example for example in legacy.EXAMPLES if example.sqlstate is None], ids=str)
def test_a_rerun_gives_the_required_result(client: FlaskClient, example: legacy.Example) -> None:
    assert succeeded(client.post(f"/{example.country_id}/report/{example.report_id}/rerun")) == example.result
    report = succeeded(client.get(f"/{example.country_id}/report/{example.report_id}"))
    assert (report["status"], report["output"], report["error_message"]) == ("pending", None, None)


@pytest.mark.parametrize("example", [example for example in legacy.EXAMPLES if example.sqlstate], ids=str)
def test_a_refused_rerun_changes_nothing(client: FlaskClient, dba: Connection, example: legacy.Example) -> None:
    before = snapshot(dba)
    response = client.post(f"/{example.country_id}/report/{example.report_id}/rerun")
    refused(response, example.http_status, example.sqlstate or "")
    assert snapshot(dba) == before


def test_the_api_shows_the_output_of_a_legacy_report_byte_for_byte(client: FlaskClient, legacy_database: Path) -> None:
    [stored] = legacy.read(legacy_database, "select output from report_outputs where id = 2")
    assert succeeded(client.get("/us/report/2"))["output"] == stored["output"]


def test_every_report_can_be_rerun_but_the_malformed_ones(client: FlaskClient, dba: Connection) -> None:
    codes = {}
    for report in snapshot(dba)["report_outputs"]:
        response = client.post(f"/{report['country_id']}/report/{report['id']}/rerun")
        if response.status_code != 200:
            codes[report["id"]] = refused(response, 400, legacy.DEFECTS[report["id"]])["code"]
    assert codes == legacy.DEFECTS
