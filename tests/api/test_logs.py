"""An operator reads the log of the API, or lets a program read it."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from pyapi.api.logs import log_configuration

HOSTILE = "/us/report/1%0Alevel=CRITICAL%0D%1B%5B31m%E2%80%A8forged"


@pytest.fixture
def log() -> Iterator[Any]:
    """Configures the log into a text; afterwards it is as before."""
    kept = {name: list(logging.getLogger(name).handlers) for name in ("", "pgreprise.access")}
    access = logging.getLogger("pgreprise.access")
    level, propagate = access.level, access.propagate
    written = io.StringIO()

    def configure(*, as_json: bool, access_log: bool = True) -> io.StringIO:
        wanted = log_configuration(as_json=as_json, access_log=access_log)
        wanted["handlers"]["stderr"]["stream"] = written
        logging.config.dictConfig(wanted)
        return written

    yield configure
    for name, handlers in kept.items():
        logging.getLogger(name).handlers = handlers
    access.setLevel(level)
    access.propagate = propagate


def test_each_request_is_a_line_of_json(client: FlaskClient, log: Any) -> None:
    written = log(as_json=True)
    client.get("/us/report/999?secret=hidden", headers={"X-Request-Id": "r7", "Authorization": "Bearer hidden"})
    [line] = [json.loads(line) for line in written.getvalue().splitlines()]
    assert line.pop("time").endswith("Z")
    assert line.pop("seconds") >= 0
    assert line == {
        "level": "INFO",
        "logger": "pgreprise.access",
        "request_id": "r7",
        "message": "GET /us/report/999 404",
        "method": "GET",
        "path": "/us/report/999",
        "route": "/<country_id>/report/<int:report_id>",
        "status": 404,
        "code": "RR001",
        "actor": "operator",
        "client": "127.0.0.1",
    }
    assert "hidden" not in written.getvalue()


@pytest.mark.parametrize("as_json", [True, False])
def test_no_request_can_forge_a_line(client: FlaskClient, log: Any, as_json: bool) -> None:
    written = log(as_json=as_json)
    client.get(HOSTILE)
    text = written.getvalue()
    assert text.count("\n") == 1
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text


def test_a_line_of_text_names_the_request(client: FlaskClient, log: Any) -> None:
    written = log(as_json=False)
    client.get("/us/report/999", headers={"X-Request-Id": "r7"})
    assert written.getvalue().rstrip().endswith("INFO pgreprise.access r7 GET /us/report/999 404")


def test_requests_are_not_logged_where_nobody_wants_it(client: FlaskClient, log: Any) -> None:
    written = log(as_json=True, access_log=False)
    client.get("/us/report/999")
    assert written.getvalue() == ""


def test_an_error_and_its_traceback_are_one_object(log: Any) -> None:
    written = log(as_json=True)
    try:
        raise RuntimeError("a\nb")
    except RuntimeError:
        logging.getLogger("pyapi").exception("it failed")
    [line] = [json.loads(line) for line in written.getvalue().splitlines()]
    assert (line["level"], line["message"], line["request_id"]) == ("ERROR", "it failed", "-")
    assert "RuntimeError: a\nb" in line["exc_info"]
