"""Someone hostile reaches the API: SQL in every text, tricks with paths and headers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import URL, create_engine

from pyapi.api.app import create_app
from pyapi.api.openapi import document
from tests.support.api import api_over
from tests.support.databases import Connection
from tests.support.replies import refused
from tests.support.samples import load_every_sample
from tests.support.snapshots import everything
from tests.support.statements import one
from tests.support.tokens import SECRET, authentication, claims, signed

DOCUMENT = document(create_app(create_engine("postgresql+psycopg://")))
HOSTILE = [
    "x'; drop table public.simulations; --",
    "x'); select pg_sleep(600); --",
    '"; drop schema pgreprise cascade; --',
    "$$; drop owned by pgreprise_owner; $$",
    "%s%(country_id)s%%I {0} :name $1 \\'; select 1/0; --",
    "us' or '1'='1",
]
VALID = {
    "country_id": "us",
    "report_id": 4,
    "simulation_id": 5,
    "run_sequence": 1,
    "rerun_id": 1,
    "claim_id": "3f2b8a54-2f7c-4d53-9c0e-5d1f6f6f0b51",
    "after_report_id": 1,
    "unit_id": 1,
    "year": 2025,
    "module": "headcount",
    "module_type_id": 1,
    "entry_type": "member",
    "item_id": 1,
    "carbon_project_type": 0,
    "exclude_modules": 6,
    "max_results": 100,
    "page": 1,
    "limit": 100,
    "sort_by": "id",
    "sort_order": "asc",
    "filter": "x",
    "field": "name",
    "value": "x",
    "exclude_id": 1,
    "since": "2026-01-31T17:00:00Z",
    "until": "2126-01-31T17:00:00Z",
    "actor": "alice",
    "kind": "rerun",
    "batch_id": 1,
    "before": 100,
    "max_rows": 10,
    "other_run_sequence": 1,
    "after_path": "/budget",
    "api_version": "r147f26ed1",
    "older_than_seconds": 60,
    "report_type": "geography",
    "status": "pending",
}


@pytest.fixture(scope="module")
def dba(shared_connection: Connection) -> Connection:
    """A superuser's connection to the module's database, which holds the sample of each domain."""
    load_every_sample(shared_connection)
    return shared_connection


@pytest.fixture(scope="module")
def client(shared_client: FlaskClient, dba: Connection) -> FlaskClient:  # noqa: ARG001
    """A client of an API over the sample."""
    return shared_client


@pytest.fixture(scope="module")
def guarded_client(shared_database: URL) -> Iterator[FlaskClient]:
    """A client of an API that wants tokens."""
    with api_over(shared_database, authentication(jwt_secret=SECRET)) as api:
        yield api.test_client()


# --- SQL in every text -----------------------------------------------------------------------


def schema_of(part: dict[str, Any]) -> dict[str, Any]:
    name = part.get("$ref", "").rpartition("/")[2]
    return DOCUMENT["components"]["schemas"][name] if name else part


def takes_text(schema: dict[str, Any]) -> bool:
    kinds = schema.get("type", [kind for one_of in schema.get("anyOf", []) for kind in [one_of.get("type")]])
    return not kinds or "string" in kinds


def example(name: str, schema: dict[str, Any]) -> Any:
    """A value of the right type for a field of a body."""
    if name == "id":
        return 5
    if "object" in schema.get("type", []):
        return {"budget": 1}
    return VALID.get(
        name, "pending" if name == "status" and takes_text(schema) else "2025" if takes_text(schema) else 1
    )


def text_fields() -> list[tuple[str, str, str]]:
    """Each operation with each place in it that takes text, or that a client may send text in all the same."""
    found = []
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            found += [(method, path, parameter["name"]) for parameter in operation.get("parameters", [])]
            if "requestBody" in operation:
                body = schema_of(operation["requestBody"]["content"]["application/json"]["schema"])
                found += [(method, path, f"body.{name}") for name in body.get("properties", {"": {}})]
    return found


def send(client: FlaskClient, method: str, path: str, field: str, hostile: str) -> Any:
    """A request that is in order but for one field."""
    operation = DOCUMENT["paths"][path][method]
    values = {**VALID, **({field: hostile} if not field.startswith("body.") else {})}
    where = {parameter["name"]: parameter["in"] for parameter in operation.get("parameters", [])}
    target = path
    for name, place in where.items():
        if place == "path":
            target = target.replace(f"{{{name}}}", str(values[name]).replace("%", "%25").replace("/", "%2F"))
    more: dict[str, Any] = {
        "query_string": {name: values[name] for name, place in where.items() if place == "query"},
        "headers": {name: values.get(name, "key") for name, place in where.items() if place == "header"},
    }
    if "requestBody" in operation:
        body = schema_of(operation["requestBody"]["content"]["application/json"]["schema"])
        if "properties" in body:
            sent = {name: example(name, part) for name, part in body["properties"].items()}
            more["json"] = {**sent, **({field.removeprefix("body."): hostile} if field.startswith("body.") else {})}
        else:
            more["json"] = [{"unit_id": 1, "year": 2025, "carbon_project_id": hostile, hostile: hostile}]
    return client.open(target, method=method.upper(), **more)


@pytest.mark.needs("time")
def test_sql_in_any_text_is_only_text(client: FlaskClient, dba: Connection) -> None:
    tables = "select count(*) as tables from pg_tables where schemaname in ('public', 'pgreprise')"
    before = one(dba, tables)
    routines = "select count(*) as routines from pg_proc where proowner = 'pgreprise_owner'::regrole"
    routines_before = one(dba, routines)
    answers: dict[int, int] = {}
    for method, path, field in text_fields():
        for hostile in HOSTILE:
            status = send(client, method, path, field, hostile).status_code
            assert status < 500, (method, path, field, hostile)
            answers[status] = answers.get(status, 0) + 1
    # Some were stored, and all the others refused.
    assert {200, 400, 404} <= answers.keys()
    assert one(dba, tables) == before
    assert one(dba, routines) == routines_before


@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_that_looks_like_sql_is_stored_as_it_is(client: FlaskClient, dba: Connection, hostile: str) -> None:
    # A finished run is not written.
    assert client.post("/us/report/4/rerun").status_code == 200
    body = {"id": 4, "status": "error", "error_message": hostile, "output": {hostile: hostile}}
    assert client.patch("/us/report", json=body).status_code == 200
    stored = one(dba, "select error_message, output from public.report_outputs where id = 4")
    assert stored == {"error_message": hostile, "output": {hostile: hostile}}


# --- paths -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/us/report/4%2Frerun",
            "/us%2Freport/4",
            "/us/report%2F4",
            "/us%5Creport/4",
            "//us/report/4",
            "/us//report/4",
        ),
        *(
            "/us/report/4/",
            "/us/report//4",
            "/us/report/./4",
            "/us/x/../report/4",
            "/us/report/%2e%2e/4",
            "/./us/report/4",
        ),
        *("/us/report/-4", "/us/report/4.0", "/us/report/0x4", "/us/report/4e0", "/us/report/+4", "/us/report/%204"),
        *("/us/report/4;x=1", "/us/report/4%00", "/us/report/4%0d%0aX: y", "/us/report/4%3frerun", "/US/REPORT/4"),
        *(
            "/static/../us/report/4",
            "/etc/passwd",
            "/../../etc/passwd",
            "/..%2f..%2fetc/passwd",
            "/%c0%ae%c0%ae/etc/passwd",
        ),
        *(f"/us/report/{'9' * 5000}", f"/{'us' * 5000}/report/4", "/us/report/9" + "9" * 18, "/us/report/" + "9" * 19),
    ],
    ids=lambda path: path[:40],
)
def test_a_path_that_is_not_exactly_one_of_ours_leads_nowhere(client: FlaskClient, dba: Connection, path: str) -> None:
    before = everything(dba)
    for method in ("GET", "POST"):
        # The client would take a host from a path with two slashes.
        reply = client.open(path, method=method, headers={"Host": "localhost"})
        assert reply.status_code in (400, 404, 405), (method, reply.text)
        assert json.loads(reply.data)["status"] == "error"
    assert everything(dba) == before


# --- headers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"X-HTTP-Method-Override": "POST"},
        {"X-HTTP-Method": "POST", "X-Method-Override": "DELETE"},
        {"X-Original-URL": "/us/report/4/rerun", "X-Rewrite-URL": "/us/report/4/rerun"},
        {
            "X-Forwarded-Prefix": "/us/report/4/rerun",
            "X-Forwarded-Host": "evil.example",
            "X-Forwarded-For": "127.0.0.1",
        },
        {"X-Forwarded-User": "root", "X-Remote-User": "root", "Remote-User": "root"},
        {"Accept": "text/html;q=x,,,;", "Accept-Language": "../../..", "Range": "bytes=0-0,-1", "Cookie": "a=b;" * 100},
        {"Content-Type": "application/json; charset=utf-7", "Content-Encoding": "gzip", "Connection": "Authorization"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_a_header_changes_neither_what_is_done_nor_what_is_answered(
    client: FlaskClient, dba: Connection, headers: dict[str, str]
) -> None:
    before = everything(dba)
    named = {"X-Request-Id": "r1"}
    plain = client.get("/us/report/4", headers=named)
    tricked = client.get("/us/report/4", headers={**named, **headers})
    assert (tricked.status_code, tricked.data, tricked.headers) == (plain.status_code, plain.data, plain.headers)
    assert everything(dba) == before


@pytest.mark.parametrize("host", ["x" * 5000, "a b'\"<>", "[", "localhost:x", "[::1", "\xff"])
def test_a_host_that_is_none_is_refused(client: FlaskClient, host: str) -> None:
    reply = client.get("/us/report/4", headers={"Host": host})
    assert reply.status_code in (400, 403), reply.text
    assert json.loads(reply.data)["status"] == "error"


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "OPTIONS", "PUT", "DELETE", "PROPFIND", "POST\tX"])
def test_another_method_is_refused(client: FlaskClient, dba: Connection, method: str) -> None:
    before = everything(dba)
    refused(client.open("/us/report/4", method=method), 405, "METHOD_NOT_ALLOWED")
    assert everything(dba) == before


def test_of_two_authorizations_neither_is_taken(guarded_client: FlaskClient) -> None:
    good = f"Bearer {signed(claims())}"
    for first, second in ((good, "Bearer x"), ("Bearer x", good), (good, good)):
        # As a WSGI server hands on a header that was sent twice.
        headers = {"Authorization": f"{first},{second}"}
        refused(guarded_client.get("/us/report/4", headers=headers), 401, "UNAUTHORIZED")


@pytest.mark.parametrize("claims_header", ["X-JWT-Claims", "Request-Jwt-Claims", "X-Postgrest-Claims", "Role"])
def test_claims_in_a_header_are_nobodys_claims(guarded_client: FlaskClient, claims_header: str) -> None:
    headers = {"Authorization": f"Bearer {signed(claims(scope='reports:read'))}"}
    hostile = json.dumps({"sub": "root", "scope": "reports:rerun reports:admin"})
    refused(guarded_client.post("/us/report/4/rerun", headers={**headers, claims_header: hostile}), 403, "RR017")


def test_an_idempotency_key_may_be_any_text_that_is_short_enough(client: FlaskClient, dba: Connection) -> None:
    for hostile in HOSTILE:
        reply = client.post("/us/report/4/rerun", headers={"Idempotency-Key": hostile})
        assert reply.status_code == 200
    stored = dba.execute("select idempotency_key from pgreprise.rerun_key").fetchall()
    assert {row["idempotency_key"] for row in stored} >= set(HOSTILE)
