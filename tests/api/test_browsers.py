"""Web pages call the API from a browser: those of the listed origins may, and nobody else's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import URL
from werkzeug.serving import make_server

from pyapi.api.app import create_app
from pyapi.api.auth import Authentication
from pyapi.settings import Settings
from tests.support.api import NewEngine, api_over, as_api
from tests.support.databases import Connection, plain
from tests.support.factories import add_report, add_simulation
from tests.support.tokens import SETTINGS

PAGE = "https://app.example.org"
OTHER = "https://evil.example.org"
SECRET = "x" * 40
ASKED = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,idempotency-key"}
ALLOWED = {"authorization", "content-type", "idempotency-key", "if-none-match", "x-reason", "x-request-id"}
EXPOSED = {"etag", "retry-after", "www-authenticate", "x-request-id", "x-write-position"}


def listed(value: str | None) -> set[str]:
    return {part.strip().lower() for part in (value or "").split(",")} - {""}


def cors_headers(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower().startswith("access-control-")}


@pytest.fixture
def authentication(monkeypatch: pytest.MonkeyPatch) -> Authentication:
    monkeypatch.setenv("PGREPRISE_JWT_SECRET", SECRET)
    made = Authentication.of(Settings.from_environment())
    assert made is not None
    return made


@pytest.fixture
def keyed(new_engine: NewEngine, authentication: Authentication) -> FlaskClient:
    """An API that wants tokens, for one page and one on an IPv6 address."""
    return create_app(new_engine(), authentication, origins=(PAGE, "http://[::1]:3000")).test_client()


@pytest.fixture
def keyless(new_engine: NewEngine) -> FlaskClient:
    """An API without keys, for the same page."""
    return create_app(new_engine(), origins=(PAGE,)).test_client()


@pytest.fixture(scope="module")
def both(shared_database: URL) -> Iterator[tuple[FlaskClient, FlaskClient]]:
    """The two for tests that ask nothing of the database."""
    with (
        api_over(shared_database, Authentication.of(SETTINGS), origins=(PAGE,)) as keyed,
        api_over(shared_database, origins=(PAGE,)) as keyless,
    ):
        yield keyed.test_client(), keyless.test_client()


PATHS = ["/us/report/1/rerun", "/us/report", "/nowhere", "/", "/api/v1/nothing", "/readiness-check"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("origin", [PAGE, "http://[::1]:3000"])
def test_a_preflight_of_a_listed_page_is_answered_without_a_token_on_every_path(
    keyed: FlaskClient, path: str, origin: str
) -> None:
    reply = keyed.options(path, headers={"Origin": origin, **ASKED})
    assert (reply.status_code, reply.data) == (200, b"")
    assert reply.headers["Access-Control-Allow-Origin"] == origin
    assert {"get", "post", "patch"} <= listed(reply.headers["Access-Control-Allow-Methods"])
    assert listed(reply.headers["Access-Control-Allow-Headers"]) == {"authorization", "idempotency-key"}
    assert "Access-Control-Allow-Credentials" not in reply.headers
    assert "Origin" in reply.headers["Vary"]


def test_only_the_headers_of_the_api_may_be_sent(keyed: FlaskClient) -> None:
    asked = {**ASKED, "Access-Control-Request-Headers": ",".join([*ALLOWED, "x-secret"])}
    reply = keyed.options("/us/report", headers={"Origin": PAGE, **asked})
    assert listed(reply.headers["Access-Control-Allow-Headers"]) == ALLOWED


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("origin", [OTHER, "null", "", f"{PAGE}.evil.org", f"{PAGE}:444", "http://app.example.org"])
def test_a_preflight_of_another_page_is_refused_alike_on_every_path(
    both: tuple[FlaskClient, FlaskClient], path: str, origin: str
) -> None:
    keyed, keyless = both
    for client, status in ((keyed, 401), (keyless, 403)):
        reply = client.options(path, headers={"Origin": origin, **ASKED})
        if path != "/readiness-check" or client is keyless:
            assert reply.status_code == status
        assert cors_headers(reply.headers) == {}
        assert "Origin" in reply.headers["Vary"]


def test_options_that_are_no_preflight_are_no_way_past_the_token(keyed: FlaskClient) -> None:
    assert keyed.options("/us/report", headers={"Origin": PAGE}).status_code == 401


def test_a_listed_page_reads_refusals_of_every_kind(keyed: FlaskClient, keyless: FlaskClient, dba: Connection) -> None:
    report = add_report(dba, add_simulation(dba))
    from_page = {"Origin": PAGE}
    replies = [
        (401, keyed.get("/us/report/1", headers=from_page)),
        (403, keyless.get("/us/report/1", headers={**from_page, "Host": "evil.example.org"})),
        (404, keyless.get("/us/report/99", headers=from_page)),
        (404, keyless.get("/nowhere", headers=from_page)),
        (405, keyless.delete("/us/report", headers=from_page)),
        (409, keyless.patch("/us/report", headers=from_page, json={"id": report, "status": "running"})),
        (413, keyless.patch("/us/report", headers=from_page, data=b" " * (32 * 2**20 + 1))),
        (422, keyless.post("/api/v1/carbon-reports/", headers=from_page, data=b"{")),
        (200, keyless.get(f"/us/report/{report}", headers=from_page)),
    ]
    dba.execute("drop function public.get_report")
    replies.append((503, keyless.get("/us/report/1", headers=from_page)))
    dba.execute(
        "create function public.get_report(report_id bigint, country_id text, known_tags text[]) returns bigint "
        "language plpgsql as $$ begin raise division_by_zero; end $$"
    )
    replies.append((500, keyless.get("/us/report/1", headers=from_page)))
    for status, reply in replies:
        if status != 422:
            assert reply.status_code == status, reply.text
        assert reply.headers["Access-Control-Allow-Origin"] == PAGE
        assert listed(reply.headers["Access-Control-Expose-Headers"]) == EXPOSED
        assert "Access-Control-Allow-Credentials" not in reply.headers


def test_without_a_key_other_pages_and_other_hosts_stay_out(keyless: FlaskClient, dba: Connection) -> None:
    report = add_report(dba, add_simulation(dba))
    path = f"/us/report/{report}"
    assert keyless.get(path).status_code == 200
    assert keyless.get(path, headers={"Origin": PAGE}).status_code == 200
    assert keyless.get(path, headers={"Origin": OTHER}).status_code == 403
    assert keyless.get(path, headers={"Origin": PAGE, "Host": "evil.example.org"}).status_code == 403


def test_no_header_is_sent_where_no_origin_is_listed(client: FlaskClient) -> None:
    reply = client.options("/us/report", headers={"Origin": PAGE, **ASKED})
    assert (reply.status_code, cors_headers(reply.headers), reply.headers.get("Vary")) == (403, {}, None)


def test_every_page_may_call_an_api_with_keys(new_engine: NewEngine, authentication: Authentication) -> None:
    client = create_app(new_engine(), authentication, origins=("*",)).test_client()
    for reply in (
        client.options("/x", headers={"Origin": OTHER, **ASKED}),
        client.get("/x", headers={"Origin": OTHER}),
    ):
        assert reply.headers["Access-Control-Allow-Origin"] in ("*", OTHER)
        assert "Access-Control-Allow-Credentials" not in reply.headers


def test_every_page_may_never_call_an_api_without_keys(new_engine: NewEngine) -> None:
    with pytest.raises(ValueError, match="every web page"):
        create_app(new_engine(), origins=("*",))


# --- the setting ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        (" , ", ()),
        (PAGE, (PAGE,)),
        (f"{PAGE},http://localhost:3000 {PAGE}", (PAGE, "http://localhost:3000")),
        ("HTTPS://App.Example.org:443", (PAGE,)),
        ("http://[::1]:3000, http://127.0.0.1:80", ("http://[::1]:3000", "http://127.0.0.1")),
    ],
)
def test_origins_are_read_as_a_browser_writes_them(
    monkeypatch: pytest.MonkeyPatch, text: str, origins: tuple[str, ...]
) -> None:
    monkeypatch.setenv("PGREPRISE_CORS_ORIGINS", text)
    assert Settings.from_environment().cors_origins == origins


@pytest.mark.parametrize(
    "text",
    [
        "app.example.org",
        "null",
        f"{PAGE}/",
        f"{PAGE}/path",
        f"{PAGE}:99999",
        f"{PAGE}:",
        "https://user@app.example.org",
        "https://*.example.org",
        "https://",
        f"* {PAGE}",
        "*",
        "https://app.example.org?x",
    ],
)
def test_what_is_no_origin_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PGREPRISE_CORS_ORIGINS", text)
    with pytest.raises(ValueError, match="PGREPRISE_CORS_ORIGINS"):
        Settings.from_environment()


def test_every_origin_is_a_setting_where_there_is_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGREPRISE_JWT_SECRET", SECRET)
    monkeypatch.setenv("PGREPRISE_CORS_ORIGINS", "*")
    assert Settings.from_environment().cors_origins == ("*",)


# --- over a real connection -------------------------------------------------------------------


def ask(url: str, method: str, **headers: str) -> tuple[int, Any, bytes]:
    asked = urllib.request.Request(url, method=method, headers=headers)
    try:
        with urllib.request.urlopen(asked, timeout=30) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


@pytest.fixture
def threaded(new_engine: NewEngine, port: int) -> Iterator[str]:
    """Werkzeug's server, without keys."""
    server = make_server("127.0.0.1", port, create_app(new_engine(), origins=(PAGE,)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def gunicorn(database: URL, port: int) -> Iterator[str]:
    """The production server, without keys."""
    address = plain(as_api(database))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PGREPRISE_JWT")}
    environment = {**kept, "DATABASE_URL": address, "PGREPRISE_CORS_ORIGINS": f"{PAGE}, http://localhost:3000"}
    command = [sys.executable, "-m", "pyapi", "serve", "--port", str(port), "--workers", "1"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "serves on" in process.stdout.readline()
        yield f"http://127.0.0.1:{port}"
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.mark.parametrize("served", ["threaded", "gunicorn"])
def test_a_page_reruns_a_report_as_a_browser_does(request: pytest.FixtureRequest, dba: Connection, served: str) -> None:
    report = add_report(dba, add_simulation(dba, population_type="household"))
    url = f"{request.getfixturevalue(served)}/us/report/{report}/rerun"
    status, headers, body = ask(url, "OPTIONS", Origin=PAGE, **ASKED)
    assert (status, headers["Access-Control-Allow-Origin"], body) == (200, PAGE, b"")
    assert "post" in listed(headers["Access-Control-Allow-Methods"])
    status, headers, body = ask(url, "POST", Origin=PAGE, **{"Idempotency-Key": "once"})
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, PAGE)
    assert json.loads(body)["result"]["report_id"] == report
    status, headers, _ = ask(url, "OPTIONS", Origin=OTHER, **ASKED)
    assert (status, cors_headers(headers)) == (403, {})
    status, headers, _ = ask(url, "POST", Origin=OTHER)
    assert (status, cors_headers(headers)) == (403, {})
