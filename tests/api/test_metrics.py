"""A monitor scrapes the API, with a token of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import URL

from pyapi.api.app import create_app
from pyapi.api.metrics import DatabaseFigures
from pyapi.database import connect_engine
from tests.support.api import NewEngine
from tests.support.databases import Connection
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.replies import refused
from tests.support.statements import rerun

TOKEN = "a-token-of-monitors"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def watched(new_engine: NewEngine) -> FlaskClient:
    """A client of an API that has metrics."""
    return create_app(new_engine(), metrics_token=TOKEN).test_client()


def scraped(client: FlaskClient) -> dict[tuple[str, ...], float]:
    """The value of each sample by its name and the values of its labels, sorted by the labels' names."""
    reply = client.get("/metrics", headers=HEADERS)
    assert (reply.status_code, reply.mimetype) == (200, "text/plain")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(reply.text)
        for sample in family.samples
    }


def test_requests_are_counted_by_route_method_and_status(watched: FlaskClient, dba: Connection) -> None:
    set_versions(dba)
    report = add_report(dba, add_simulation(dba, population_type="household"))
    before = scraped(watched)
    watched.get(f"/us/report/{report}")
    watched.get("/us/report/999")
    watched.post("/us/report/999/rerun")
    watched.get("/a/path/that/somebody/invents")
    watched.open("/us/report/1", method="INVENTED")
    after = scraped(watched)

    def counted(*name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    route = "/<country_id>/report/<int:report_id>"
    total = "pgreprise_http_requests_total"
    assert counted(total, "GET", route, "200") == 1
    assert counted(total, "GET", route, "404") == 1
    assert counted(total, "POST", f"{route}/rerun", "404") == 1
    assert counted(total, "GET", "none", "404") == 1
    assert counted(total, "other", "none", "405") == 1
    assert counted("pgreprise_http_request_seconds_count", "GET", route) == 2
    assert counted("pgreprise_refusals_total", "RR001") == 2
    assert after["pgreprise_pool_connections", "in_use"] >= 0
    assert not any("999" in part or "invent" in part.lower() for name in after for part in name)


def test_what_a_dba_does_in_psql_is_counted_too(watched: FlaskClient, dba: Connection) -> None:
    set_versions(dba)
    rerun(dba, add_report(dba, add_simulation(dba, population_type="household")))
    found = scraped(watched)
    assert found["pgreprise_acts_total", "rerun"] == 1
    assert found["pgreprise_reports", "us", "pending"] == 1
    assert found["pgreprise_up",] == 1


@pytest.mark.parametrize(
    "sent", [None, "", TOKEN, "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer é"]
)
def test_without_the_token_there_are_no_figures(watched: FlaskClient, sent: str | None) -> None:
    reply = watched.get("/metrics", headers={} if sent is None else {"Authorization": sent})
    refused(reply, 401, "UNAUTHORIZED")
    assert "pgreprise_" not in reply.text.replace("PGREPRISE_METRICS_TOKEN", "")


def test_without_the_setting_there_are_no_metrics(client: FlaskClient) -> None:
    refused(client.get("/metrics", headers=HEADERS), 404, "NOT_FOUND")


def test_the_figures_of_the_api_are_there_while_the_database_is_away() -> None:
    url = URL.create("postgresql+psycopg", database="x", query={"host": "/nowhere"})
    away = create_app(connect_engine(url), metrics_token=TOKEN).test_client()
    found = scraped(away)
    assert found["pgreprise_up",] == 0
    assert not any(name[0] == "pgreprise_reports" for name in found)
    away.get("/us/report/1")
    assert scraped(away)["pgreprise_http_requests_total", "GET", "/<country_id>/report/<int:report_id>", "503"] >= 1


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Iterator[Clock]:
    return Clock()


def test_the_database_is_asked_at_most_every_fifteen_seconds(
    new_engine: NewEngine, dba: Connection, clock: Clock
) -> None:
    set_versions(dba)
    figures = DatabaseFigures(new_engine(), clock)

    def acts() -> float:
        [family] = [found for found in figures.collect() if found.name == "pgreprise_acts"]
        return next(float(sample.value) for sample in family.samples if sample.labels == {"kind": "rerun"})

    assert acts() == 0
    rerun(dba, add_report(dba, add_simulation(dba, population_type="household")))
    clock.now = 14.9
    assert acts() == 0
    clock.now = 15
    assert acts() == 1
