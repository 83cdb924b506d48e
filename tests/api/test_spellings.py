"""Every path, number and parameter has one spelling and one meaning, on every route that the API describes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import create_engine
from werkzeug.test import TestResponse

from pyapi.api.app import create_app
from pyapi.api.openapi import document
from tests.support.databases import Connection
from tests.support.replies import refused
from tests.support.samples import load_every_sample
from tests.support.snapshots import everything

pytestmark = pytest.mark.needs("time")

APP = create_app(create_engine("postgresql+psycopg://"))
DOCUMENT = document(APP)
# Other spellings of 4: what servers, proxies or int() may take for it.
SPELLINGS = (
    *(
        "04",
        "0004",
        "+4",
        "%2B4",
        "-4",
        "4.",
        "4.0",
        "4e0",
        "0x4",
        "4_0",
        "4,0",
        "%204",
        "4%20",
        "4%09",
        "4%0a",
        "4%0D",
    ),
    *("%D9%A4", "%EF%BC%94", "%E0%A5%AA", "%C2%B2", "%34", "4%2F", "%2F4", "4%5C", "4%2e", "4%00", "4;v=1", "4%3Bv=1"),
)
# The same in a query, where a plus is a space.
QUERY_SPELLINGS = ("04", "%2B4", "+4", "4.0", "4e0", "4_0", "%204", "4%20", "%D9%A4", "%EF%BC%94", "", "0x4")
CLAIM = "3f2b8a54-2f7c-4d53-9c0e-5d1f6f6f0b51"
TEXTS = {"country_id": "us", "module": "headcount", "entry_type": "member", "claim_id": CLAIM}


@pytest.fixture(scope="module")
def dba(shared_connection: Connection) -> Connection:
    """A superuser's connection to the module's database, which holds the sample of each domain."""
    load_every_sample(shared_connection)
    return shared_connection


@pytest.fixture(scope="module")
def client(shared_client: FlaskClient, dba: Connection) -> FlaskClient:  # noqa: ARG001
    """A client of an API over the sample."""
    return shared_client


def operations() -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Method, path and parameters of each operation."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation.get("parameters", [])


def kind(parameter: dict[str, Any]) -> str:
    """The type of a parameter. Whatever may be null is what it is otherwise."""
    schema = parameter["schema"]
    kinds = [schema.get("type"), *(one_of.get("type") for one_of in schema.get("anyOf", []))]
    return next((found for found in kinds if found not in (None, "null")), "any")


def filled(path: str, parameters: list[dict[str, Any]], **values: str) -> str:
    """A path with values of the right types."""
    for parameter in parameters:
        if parameter["in"] == "path":
            name = parameter["name"]
            plain = "4" if kind(parameter) == "integer" else TEXTS.get(name, "x")
            path = path.replace(f"{{{name}}}", values.get(name, plain))
    return path


def numbers_of_paths() -> list[Any]:
    found = [
        pytest.param(
            method,
            filled(path, parameters, **{parameter["name"]: "{}"}),
            id=f"{method} {path} {parameter['name']}",
        )
        for method, path, parameters in operations()
        for parameter in parameters
        if parameter["in"] == "path" and kind(parameter) == "integer"
    ]  # fmt: skip
    assert len(found) > 40
    return found


@pytest.mark.parametrize(("method", "path"), numbers_of_paths())
def test_a_number_in_a_path_has_one_spelling(client: FlaskClient, dba: Connection, method: str, path: str) -> None:
    # In this spelling it leads somewhere.
    APP.url_map.bind("").match(path.format("4"), method)
    before = everything(dba)
    for spelling in SPELLINGS:
        reply = client.open(path.format(spelling), method=method)
        assert reply.status_code == 404, (spelling, reply.text)
        assert "detail" in reply.get_json() or reply.get_json()["code"] == "NOT_FOUND", reply.text
    assert everything(dba) == before


@pytest.mark.parametrize(
    "path",
    [
        *("//us/report/4/rerun", "///us/report/4/rerun", "/us//report/4/rerun", "/us/report/4//rerun"),
        *("/us/report/4/rerun/", "/us/report/4/rerun//", "/us/report/4/%72erun", "/us/r%65port/4/rerun"),
        *("/%75s/report/4/rerun", "/us/report/4/rerun%00", "/us/report/4/rerun%20", "/us/report/4/./rerun"),
        *("/us/report/4/rerun;x", "/us/report/4/Rerun", "/us/report/4\\rerun", "/us/report/4%5Crerun"),
    ],
)
def test_a_route_has_one_spelling(client: FlaskClient, dba: Connection, path: str) -> None:
    before = everything(dba)
    # As a server hands it on: the client would take a host from a path with two slashes.
    environ = {"RAW_URI": path, "REQUEST_URI": path}
    if path.startswith("//"):
        environ["PATH_INFO"] = path
    refused(client.post(path, headers={"Host": "localhost"}, environ_overrides=environ), 404, "NOT_FOUND")
    assert everything(dba) == before


# --- numbers in queries and bodies -----------------------------------------------------------


def asked(client: FlaskClient, method: str, path: str, query: str) -> tuple[int, Any]:
    """Status and content of a reply, without the time at which it was made."""
    reply: TestResponse = client.open(
        f"{path}?{query}", method=method, json={} if method in ("POST", "PATCH") else None
    )
    content = reply.get_json()
    if isinstance(content, dict):
        content.pop("retrieved_at", None)
    return reply.status_code, content


def parameters_of_queries(*kinds: str) -> list[Any]:
    required = {
        (method, path): [each for each in parameters if each["in"] == "query" and each["required"]]
        for method, path, parameters in operations()
    }
    return [
        pytest.param(
            method,
            filled(path, parameters),
            "&".join(f"{each['name']}=x" for each in required[method, path] if each is not parameter),
            parameter,
            id=f"{method} {path} {parameter['name']}",
        )
        for method, path, parameters in operations()
        for parameter in parameters
        if parameter["in"] == "query" and kind(parameter) in kinds
    ]


@pytest.mark.parametrize(("method", "path", "rest", "parameter"), parameters_of_queries("integer"))
def test_a_number_in_a_query_has_one_spelling(
    client: FlaskClient, dba: Connection, method: str, path: str, rest: str, parameter: dict[str, Any]
) -> None:
    before = everything(dba)
    for spelling in QUERY_SPELLINGS:
        status, content = asked(client, method, path, f"{rest}&{parameter['name']}={spelling}")
        assert status in (400, 422), (spelling, content)
    assert everything(dba) == before


def test_a_number_of_rows_that_is_not_plain_counts_as_none(client: FlaskClient) -> None:
    every = len(asked(client, "GET", "/simulations", "")[1]["result"])
    assert every > 1
    assert len(asked(client, "GET", "/simulations", "max_results=1")[1]["result"]) == 1
    for spelling in ("01", "%2B1", "1.0", "1_0", "%201", "%D9%A1", "", "x", "9" * 5000):
        assert len(asked(client, "GET", "/simulations", f"max_results={spelling}")[1]["result"]) == every, spelling


@pytest.mark.parametrize("unit_id", ["04", "+4", " 4", "4_0", "\u0664", "4.0", ""])
def test_a_number_that_is_text_in_a_body_has_one_spelling(client: FlaskClient, dba: Connection, unit_id: str) -> None:
    before = everything(dba)
    reply = client.post("/api/v1/carbon-reports/", json={"unit_id": unit_id, "year": 2031})
    assert reply.status_code == 422, reply.text
    assert everything(dba) == before


# --- parameters that are repeated ------------------------------------------------------------

VALUES = {
    "since": ("2020-01-01T00:00:00Z", "x"),
    "until": ("2020-01-01T00:00:00Z", "x"),
    "kind": ("undo", "x"),
    "country_id": ("us", "xx"),
    "status": ("pending", "x"),
    "report_type": ("household", "x"),
    "sort_order": ("desc", "x"),
    "sort_by": ("id", "no such field"),
}
NUMBERS = ("1", "x")
TEXT_VALUES = ("x", "y")


@pytest.mark.parametrize(
    ("method", "path", "rest", "parameter"), parameters_of_queries("integer", "string", "boolean", "any")
)
def test_the_last_of_a_repeated_parameter_counts(
    client: FlaskClient, method: str, path: str, rest: str, parameter: dict[str, Any]
) -> None:
    name = parameter["name"]
    is_number = kind(parameter) != "string"
    first, last = VALUES.get(name, NUMBERS if is_number else TEXT_VALUES)
    for one, other in ((first, last), (last, first)):
        alone = asked(client, method, path, f"{rest}&{name}={other}")
        assert asked(client, method, path, f"{rest}&{name}={one}&{name}={other}") == alone


def test_a_parameter_that_is_a_list_keeps_all_of_its_values(client: FlaskClient) -> None:
    paths = [path for path in DOCUMENT["paths"] if path.endswith("results-summary")]
    path = filled(paths[0], DOCUMENT["paths"][paths[0]]["get"]["parameters"]).replace("/4/", "/1/")
    of_each = [
        asked(client, "GET", path, query) for query in ("exclude_modules=1&exclude_modules=2", "exclude_modules=2")
    ]
    assert [status for status, _ in of_each] == [200, 200]
    assert asked(client, "GET", path, "exclude_modules=2&exclude_modules=x")[0] == 422


# --- what is not known -----------------------------------------------------------------------

ACTS = (
    "/us/report/4/rerun",
    "/us/report/4/reruns/1/undo",
    "/us/report/4/cancel",
    "/us/report/4/release",
    "/claims",
    *(f"/claims/{CLAIM}/{act}" for act in ("heartbeat", "finish", "fail", "release")),
    *(f"/claims/{CLAIM}/simulations/5/{act}" for act in ("finish", "fail")),
    "/api/v1/carbon-reports/1/convert",
)


@pytest.mark.parametrize("path", ACTS)
@pytest.mark.parametrize(
    "more",
    [
        {"query_string": "dry_run=true"},
        {"query_string": "reason="},
        {"query_string": "x"},
        {"json": {"dry_run": True}},
        {"json": []},
        {"data": b"{", "content_type": "application/json"},
        {"data": b"x=1", "content_type": "application/x-www-form-urlencoded"},
        {"data": b'{"reason": "a", "reason": "b"}', "content_type": "application/json"},
    ],
    ids=lambda more: " ".join(map(str, more.values())),
)
def test_an_act_refuses_what_it_does_not_know(
    client: FlaskClient, dba: Connection, path: str, more: dict[str, Any]
) -> None:
    before = everything(dba)
    reply = client.post(path, **more)
    assert reply.status_code in (400, 415), reply.text
    assert everything(dba) == before


def test_a_report_is_converted_with_the_parameter_that_clients_add_to_each_request(client: FlaskClient) -> None:
    reply = client.post("/api/v1/carbon-reports/999999/convert?carbon_project_type=1", json={})
    assert (reply.status_code, reply.get_json()) == (
        404,
        {"detail": "Carbon report not found: carbon_report_id 999999."},
    )


def test_a_request_that_reads_ignores_parameters_that_it_does_not_know(client: FlaskClient) -> None:
    for method, path, parameters in operations():
        # Its parameters are conditions, and without one of them more is listed than was meant.
        if method == "GET" and path not in ("/reruns", "/claims", "/reports", "/{country_id}/reports"):
            target = filled(path, parameters)
            rest = "&".join(f"{each['name']}=x" for each in parameters if each["in"] == "query" and each["required"])
            assert asked(client, "GET", target, f"{rest}&x=1&dry_run") == asked(client, "GET", target, rest), target


# --- headers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["a,b", "a,a", "a, a", ","])
def test_two_keys_are_no_key(client: FlaskClient, dba: Connection, header: str) -> None:
    before = everything(dba)
    # As a server hands on a header that was sent twice.
    for act in ("rerun", "reruns/1/undo", "cancel", "release"):
        refused(client.post(f"/us/report/4/{act}", headers={"Idempotency-Key": header}), 400, "BAD_REQUEST")
    assert everything(dba) == before


def test_head_does_nothing_and_has_no_body_wherever_get_answers(client: FlaskClient, dba: Connection) -> None:
    before = everything(dba)
    for method, path, parameters in operations():
        if method == "GET":
            target = filled(path, parameters)
            reply = client.head(target)
            assert (reply.status_code, reply.data) == (client.get(target).status_code, b""), target
    assert everything(dba) == before


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "PROPFIND", "X" * 100])
def test_an_unknown_method_does_nothing_on_any_path(client: FlaskClient, dba: Connection, method: str) -> None:
    before = everything(dba)
    for _, path, parameters in operations():
        reply = client.open(filled(path, parameters), method=method)
        assert reply.status_code == 405, (path, reply.text)
        assert "detail" in reply.get_json() or reply.get_json()["code"] == "METHOD_NOT_ALLOWED"
    assert everything(dba) == before
