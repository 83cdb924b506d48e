"""Two servers over one database, as two machines behind a load balancer: nothing in one matters to the other."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import URL

from tests.support.databases import Connection
from tests.support.factories import add_economy_report, set_versions
from tests.support.sites import Site, serving
from tests.support.tokens import claims, jwk, signed, write_keys

pytestmark = pytest.mark.needs("time")

KEY, NEXT_KEY = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
METRICS_TOKEN = "sixteen-characters"
ALL = "reports:read reports:write reports:work reports:rerun reports:admin"

Pair = tuple[Site, Site]


def token(key: rsa.RSAPrivateKey = KEY, kid: str = "now") -> str:
    return signed(claims(scope=ALL, aud=None, iss=None), key=key, algorithm="RS256", kid=kid)


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    write_keys(path, jwk(KEY, "now"))
    return path


@pytest.fixture(scope="module")
def servers(shared_database: URL, key_file: Path) -> Iterator[Pair]:
    """Two servers with the same settings."""
    settings = {"PGREPRISE_JWT_JWKS": str(key_file), "PGREPRISE_METRICS_TOKEN": METRICS_TOKEN}
    arguments = ("--workers", "1", "--connections", "2")
    with (
        serving(shared_database, *arguments, **settings) as one,
        serving(shared_database, *arguments, **settings) as other,
    ):
        yield one, other


@pytest.fixture
def report(shared_connection: Connection) -> int:
    set_versions(shared_connection)
    return add_economy_report(shared_connection, status="complete", output={"gini": 0.4})[0]


class Browser:
    """A browser with its cookies, which go to every port of a machine, as behind a load balancer."""

    def __init__(self, bearer: str | None = None) -> None:
        self._open = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar())).open
        self._headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}

    def send(self, url: str, body: Any = None, method: str | None = None, **headers: str) -> tuple[int, str]:
        """The status and the text of the reply; a body of bytes is a form, another one is sent as JSON."""
        if body is not None and not isinstance(body, bytes):
            headers["Content-Type"] = "application/json"
            body = json.dumps(body).encode()
        try:
            request = urllib.request.Request(url, body, {**self._headers, **headers}, method=method)
            with self._open(request) as reply:
                return int(reply.status), reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


def form(text: str, **values: str) -> bytes:
    """The fields that the form of a page brings along, and these values."""
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', text))
    return urllib.parse.urlencode({**hidden, **values}).encode()


def reruns(connection: Connection, report_id: int) -> int:
    return len(connection.execute("select from rerun_history() where report_id = %s", (report_id,)).fetchall())


def test_an_operator_signs_in_at_one_server_and_acts_at_the_other(
    servers: Pair, report: int, shared_connection: Connection
) -> None:
    one, other = servers
    browser = Browser()
    _, page = browser.send(f"{one.url}/console/sign-in")
    assert browser.send(f"{one.url}/console/sign-in", form(page, token=token()))[0] == 200
    status, page = browser.send(f"{other.url}/console/reports/us/{report}/rerun")
    assert status == 200
    assert "Signed in as" in page
    # The form of one is sent to the other, and its second click to the first.
    filled = form(page, reason="asked for")
    assert browser.send(f"{one.url}/console/reports/us/{report}/rerun", filled)[0] == 200
    assert reruns(shared_connection, report) == 1
    assert browser.send(f"{other.url}/console/reports/us/{report}/rerun", filled)[0] == 200
    assert reruns(shared_connection, report) == 1


def test_an_idempotency_key_counts_at_each_server(servers: Pair, report: int, shared_connection: Connection) -> None:
    replies = [
        Browser(token()).send(f"{site.url}/us/report/{report}/rerun", method="POST", **{"Idempotency-Key": "once"})
        for site in servers
    ]
    assert [status for status, _ in replies] == [200, 200]
    assert len({json.loads(text)["result"]["rerun_id"] for _, text in replies}) == 1
    assert reruns(shared_connection, report) == 1


def test_a_setting_of_the_database_holds_at_each_server_at_once(
    servers: Pair, report: int, shared_connection: Connection
) -> None:
    late = {"id": report, "status": "complete", "output": {"gini": 0.5}}
    for setting, expected in ((None, 409), ("on", 200), ("off", 409)):
        if setting is not None:
            shared_connection.execute("select set_setting('allow_unfinish', %s)", (setting,))
        assert [Browser(token()).send(f"{site.url}/us/report", late, "PATCH")[0] for site in servers] == [
            expected,
            expected,
        ]
        late["output"] = {"gini": 0.6 if setting is None else 0.7}


def test_rotated_keys_are_fetched_by_each_server(servers: Pair, report: int, key_file: Path) -> None:
    def statuses(bearer: str) -> list[int]:
        return [Browser(bearer).send(f"{site.url}/us/report/{report}")[0] for site in servers]

    assert (statuses(token()), statuses(token(NEXT_KEY, "next"))) == ([200, 200], [401, 401])
    write_keys(key_file, jwk(KEY, "now"), jwk(NEXT_KEY, "next"))
    assert (statuses(token()), statuses(token(NEXT_KEY, "next"))) == ([200, 200], [200, 200])
    write_keys(key_file, jwk(NEXT_KEY, "next"))
    assert (statuses(token()), statuses(token(NEXT_KEY, "next"))) == ([401, 401], [200, 200])
    write_keys(key_file, jwk(KEY, "now"))


def test_each_server_counts_its_own_requests_and_both_tell_the_same_of_the_database(servers: Pair, report: int) -> None:
    one, _ = servers
    for _ in range(3):
        Browser(token()).send(f"{one.url}/us/simulation/{report}")
    told = [Browser(METRICS_TOKEN).send(f"{site.url}/metrics")[1] for site in servers]
    counted = [
        re.findall(r"^pgreprise_http_requests_total\{.*simulation.*\} (\S+)$", text, re.MULTILINE) for text in told
    ]
    assert counted == [["3.0"], []]
    stored = [re.findall(r"^pgreprise_(?:reports|acts_total|feed_unread).*$", text, re.MULTILINE) for text in told]
    assert stored[0] == stored[1] != []
