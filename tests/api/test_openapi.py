"""Someone reads what the API says of itself; it is what the routes are."""

from __future__ import annotations

import html.parser
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator
from sqlalchemy import create_engine

from pyapi.api import openapi
from pyapi.api.app import create_app
from pyapi.api.errors import HTTP_STATUS
from tests.support.replies import refused
from tests.support.tokens import SECRET, authentication, claims, signed

Document = dict[str, Any]


@pytest.fixture(scope="module")
def app() -> Flask:
    """An API; nothing here asks the database."""
    return create_app(create_engine("postgresql+psycopg://"))


@pytest.fixture(scope="module")
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="module")
def document(client: FlaskClient) -> Document:
    reply = client.get("/openapi.json")
    assert (reply.status_code, reply.mimetype) == (200, "application/json")
    read: Document = json.loads(reply.data)
    return read


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def parts(value: Any) -> Iterator[Document]:
    """Every object in a document."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from parts(inner)


def test_the_document_is_valid_openapi_3_1(document: Document) -> None:
    assert document["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_the_document_has_every_route_and_method_and_no_other(app: Flask, document: Document) -> None:
    routes = {
        (method, re.sub(r"<(?:int:|uuid:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(method, path) for method, path, _ in operations(document)} == routes
    identifiers = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(identifiers)) == len(identifiers)


def test_a_route_that_nobody_has_described_is_a_fault_and_not_left_out() -> None:
    app = Flask(__name__, static_folder=None)
    app.add_url_rule("/undescribed", view_func=lambda: "")
    with pytest.raises(LookupError, match="/undescribed"):
        openapi.document(app)


def test_every_route_tells_its_parameters_and_what_it_does(document: Document) -> None:
    for method, path, operation in operations(document):
        in_path = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", path)), path
        assert operation["summary"].endswith("."), path
        assert ("requestBody" in operation) <= (method in ("POST", "PATCH")), path


def test_every_status_has_the_schema_of_its_reply(document: Document) -> None:
    for method, path, operation in operations(document):
        assert any(status.startswith("2") for status in operation["responses"]), path
        for status, reply in operation["responses"].items():
            assert reply["description"], (method, path, status)
            schemas = [content["schema"] for content in reply.get("content", {}).values()]
            assert len(schemas) == (0 if status in ("204", "304") else 1), (method, path, status)


def test_objects_in_replies_have_the_properties_that_are_named_and_no_others(document: Document) -> None:
    waiting = [reply for _, _, operation in operations(document) for reply in operation["responses"].values()]
    closed: set[str] = set()
    while waiting:
        for part in parts(waiting.pop()):
            if "$ref" in part and (name := part["$ref"].rpartition("/")[2]) not in closed:
                closed.add(name)
                waiting.append(document["components"]["schemas"][name])
            # A refusal is two at once: the envelope, which is closed, and the codes that it may have.
            if isinstance(part.get("properties"), dict) and "allOf" not in part:
                assert part["additionalProperties"] is False, part
    assert {"StoredReport", "Run", "StoredCarbonReport", "Refusal", "Detail"} <= closed


def test_every_refusal_of_ours_can_arise_somewhere_and_under_its_status(document: Document) -> None:
    named: dict[str, set[int]] = {}
    for _, _, operation in operations(document):
        for status, reply in operation["responses"].items():
            for code in re.findall(r"R[RC]\d{3}", reply["description"]):
                named.setdefault(code, set()).add(int(status))
    ours = {code: {status} for code, status in HTTP_STATUS.items() if code.startswith(("RR", "RC"))}
    # Those that are left are of what the command and SQL alone can do, and of a router, where any route may have them.
    assert named.items() <= ours.items()
    assert ours.keys() - named.keys() == {"RR015", "RR018", "RR024", "RR025", "RR026", "RR035", "RR036"}


def test_503_says_when_to_try_again_and_401_how_to_authenticate(document: Document) -> None:
    for _, path, operation in operations(document):
        headers = {status: set(reply.get("headers", {})) for status, reply in operation["responses"].items()}
        assert headers.get("503", {"Retry-After"}) == {"Retry-After"}, path
        assert headers.get("401", {"WWW-Authenticate"}) == {"WWW-Authenticate"}, path


def test_only_the_health_checks_need_no_token(document: Document) -> None:
    assert document["security"] == [{"bearer": []}]
    assert document["components"]["securitySchemes"]["bearer"]["bearerFormat"] == "JWT"
    is_open = {path for _, path, operation in operations(document) if operation.get("security") == []}
    assert is_open == {"/liveness-check", "/readiness-check"}
    for _, path, operation in operations(document):
        assert ("401" in operation["responses"]) == (path not in is_open), path


# --- the page --------------------------------------------------------------------------------


class _Page(html.parser.HTMLParser):
    """Which elements a page has, and what they refer to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.identifiers: set[str] = set()
        self.references: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        for name, value in attributes:
            if name == "id":
                self.identifiers.add(str(value))
            if name in ("href", "src", "action", "data", "srcset"):
                self.references.add(str(value))


def test_the_page_shows_every_route_and_schema(client: FlaskClient, document: Document) -> None:
    reply = client.get("/docs")
    assert (reply.status_code, reply.mimetype) == (200, "text/html")
    page = _Page(reply.text)
    identifiers = {operation["operationId"] for _, _, operation in operations(document)}
    assert page.identifiers == identifiers | {f"schema-{name}" for name in document["components"]["schemas"]}
    assert "RR010" in reply.text


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(client: FlaskClient) -> None:
    reply = client.get("/docs")
    page = _Page(reply.text)
    assert page.elements.isdisjoint({"script", "link", "img", "iframe", "object", "form"})
    assert {reference for reference in page.references if not reference.startswith("#")} == {"openapi.json"}
    assert {reference[1:] for reference in page.references if reference.startswith("#")} <= page.identifiers
    assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "url(" not in reply.text
    assert "@import" not in reply.text


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_with_authentication_both_want_a_token_of_whatever_scope(path: str) -> None:
    engine = create_engine("postgresql+psycopg://")
    client = create_app(engine, authentication(jwt_secret=SECRET)).test_client()
    refused(client.get(path), 401, "UNAUTHORIZED")
    token = signed(claims(scope=None))
    assert client.get(path, headers={"Authorization": f"Bearer {token}"}).status_code == 200
