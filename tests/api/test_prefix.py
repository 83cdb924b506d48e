"""The API stands behind proxies and below a prefix; without the setting nobody is believed what a header says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import create_engine

from pyapi.api.app import create_app
from pyapi.api.openapi import document
from pyapi.database import connect_engine
from tests.support.api import as_api
from tests.support.databases import Connection
from tests.support.replies import refused, succeeded
from tests.support.samples import load_every_sample
from tests.support.snapshots import everything
from tests.support.statements import one
from tests.support.tokens import SECRET, authentication, claims, signed

pytestmark = pytest.mark.needs("time")

DOCUMENT = document(create_app(create_engine("postgresql+psycopg://")))
SCOPES = "reports:read reports:write reports:rerun"
TEXTS = {"country_id": "us", "module": "headcount", "entry_type": "member"}
NewApi = Callable[..., FlaskClient]


@pytest.fixture(scope="module")
def dba(shared_connection: Connection) -> Connection:
    """A superuser's connection to the module's database, which holds the sample of each domain."""
    load_every_sample(shared_connection)
    return shared_connection


@pytest.fixture
def new_api(dba: Connection, shared_database: Any) -> Iterator[NewApi]:  # noqa: ARG001
    """Makes clients of an API with a prefix, or behind proxies."""
    engine = connect_engine(as_api(shared_database))

    def make(**settings: Any) -> FlaskClient:
        return create_app(engine, authentication(jwt_secret=SECRET), **settings).test_client()

    yield make
    engine.dispose()


def headers(**more: str) -> dict[str, str]:
    token = signed(claims(scope=SCOPES, roles=[{"role": "pgreprise.operator", "on": {"kind": "global"}}]))
    return {"Authorization": f"Bearer {token}", **{name.replace("_", "-"): value for name, value in more.items()}}


def paths() -> list[tuple[str, str]]:
    """Each operation, with values in its path."""
    found = []
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            filled = path
            for part in operation.get("parameters", []):
                plain = TEXTS.get(part["name"], "4" if part["schema"].get("type") == "integer" else "x")
                filled = filled.replace(f"{{{part['name']}}}", plain)
            found.append((method.upper(), filled))
    return found


@pytest.mark.parametrize("is_at_the_proxy", [False, True])
def test_every_route_works_below_a_prefix_as_it_does_without(new_api: NewApi, is_at_the_proxy: bool) -> None:
    plain = new_api()
    below = new_api(proxies=1) if is_at_the_proxy else new_api(prefix="/tools/reports")
    # The proxy takes its prefix off the path and tells it; without one it stands in the path.
    prefix, more = ("", {"X_Forwarded_Prefix": "/tools/reports"}) if is_at_the_proxy else ("/tools/reports", {})
    for method, path in paths():
        # Acts would change what the next request finds, so they are refused for their query, or miss a body.
        query = "?dry_run=1" if method == "POST" else ""
        there = below.open(f"{prefix}{path}{query}", method=method, headers=headers(**more))
        here = plain.open(f"{path}{query}", method=method, headers=headers())
        assert there.status_code == here.status_code, (method, path, there.text)
        if path not in ("/openapi.json", "/docs") and here.is_json and "retrieved_at" not in here.text:
            assert there.get_json() == here.get_json()


def test_below_a_prefix_a_report_is_rerun_and_looked_at(new_api: NewApi) -> None:
    client = new_api(prefix="/reports")
    assert succeeded(client.post("/reports/us/report/4/rerun", headers=headers()))["report_id"] == 4
    assert succeeded(client.get("/reports/us/report/4", headers=headers()))["status"] == "pending"


@pytest.mark.parametrize(
    ("settings", "sent", "url"),
    [
        ({}, {}, "/"),
        ({"prefix": "/reports"}, {}, "/reports"),
        ({"proxies": 1}, {}, "/"),
        ({"proxies": 1}, {"X_Forwarded_Prefix": "/reports/"}, "/reports"),
        ({"proxies": 1, "prefix": "/inner"}, {"X_Forwarded_Prefix": "/outer"}, "/outer/inner"),
        ({"proxies": 2}, {"X_Forwarded_Prefix": "/forged, /outer, /between"}, "/outer"),
    ],
)
def test_the_document_names_the_address_that_its_reader_has_to_use(
    new_api: NewApi, settings: dict[str, Any], sent: dict[str, str], url: str
) -> None:
    client = new_api(**settings)
    base = settings.get("prefix", "")
    read = client.get(f"{base}/openapi.json", headers=headers(**sent)).get_json()
    assert read["servers"] == [{"url": url}]
    # The next reader comes by another way.
    again = client.get(f"{base}/openapi.json", headers=headers()).get_json()
    assert again["servers"] == [{"url": base or "/"}]
    page = client.get(f"{base}/docs", headers=headers(**sent))
    assert page.status_code == 200
    # A link that is relative leads to the document below every prefix.
    assert 'href="openapi.json"' in page.text
    assert 'href="/' not in page.text


@pytest.mark.parametrize(
    "path",
    [
        *("/us/report/4/rerun", "/reportsus/report/4/rerun", "/reports", "/reports//us/report/4/rerun", "/"),
        *("/Reports/us/report/4/rerun", "/reports/reports/us/report/4/rerun", "/liveness-check"),
    ],
)
def test_what_is_not_below_the_prefix_is_not_there(new_api: NewApi, dba: Connection, path: str) -> None:
    before = everything(dba)
    for method in ("GET", "POST"):
        reply = new_api(prefix="/reports").open(path, method=method, headers=headers())
        assert reply.status_code in (404, 405)
        refused(reply, reply.status_code, reply.get_json()["code"])
    assert everything(dba) == before


# --- who is believed -------------------------------------------------------------------------


def recorded(dba: Connection) -> str:
    """The address that the last act came from."""
    newest = "select client_address from pgreprise.rerun order by rerun_id desc limit 1"
    return str(one(dba, newest)["client_address"])


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.9", "127.0.0.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (2, "198.51.100.1, 203.0.113.9", "198.51.100.1"),
        (2, "203.0.113.9", "127.0.0.1"),
        (1, "203.0.113.9:4711", "203.0.113.9"),
        (1, "2001:db8::1", "2001:db8::1"),
        (1, "[2001:db8::1]:4711", "2001:db8::1"),
        (1, "unknown", "127.0.0.1"),
        (1, "'; drop table x; --", "127.0.0.1"),
    ],
)
def test_the_address_of_an_act_is_what_trusted_proxies_say(
    new_api: NewApi, dba: Connection, proxies: int, forwarded: str, address: str
) -> None:
    sent = headers(X_Forwarded_For=forwarded)
    succeeded(new_api(proxies=proxies).post("/us/report/4/rerun", headers=sent))
    assert recorded(dba) == address


@pytest.mark.parametrize(
    "prefix", ["//evil.example", "https://evil.example", "/a/../b", "/a b", "/a?b", "javascript:x"]
)
def test_a_prefix_that_is_none_is_left_out(new_api: NewApi, prefix: str) -> None:
    read = new_api(proxies=1).get("/openapi.json", headers=headers(X_Forwarded_Prefix=prefix)).get_json()
    assert read["servers"] == [{"url": "/"}]


def test_without_the_setting_no_forwarded_header_is_read(new_api: NewApi) -> None:
    sent = {
        "X_Forwarded_Prefix": "/evil", "X_Forwarded_Host": "evil.example", "X_Forwarded_Proto": "https",
        "X_Forwarded_Port": "1", "Forwarded": "for=203.0.113.9;host=evil.example", "X_Script_Name": "/evil",
    }  # fmt: skip
    client = new_api()
    for path in ("/openapi.json", "/docs", "/us/report/4", "/x"):
        forged, plain = client.get(path, headers=headers(**sent)), client.get(path, headers=headers())
        assert (forged.status_code, forged.data) == (plain.status_code, plain.data)


def test_without_a_key_no_proxy_can_be_trusted() -> None:
    with pytest.raises(ValueError, match="could act as the local operator"):
        create_app(create_engine("postgresql+psycopg://"), proxies=1)
