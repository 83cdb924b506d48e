"""The OpenAPI document. It is made from the routes: their rules, their docstrings and their ``describes``.

pydantic makes the schemas of bodies and results. OpenAPI 3.1 uses such schemas without change.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Literal, TypeVar

from flask import Flask
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.json_schema import JsonSchemaMode
from werkzeug.routing import IntegerConverter, Rule, UUIDConverter

from pyapi.api.errors import HTTP_STATUS
from pyapi.api.paths import CONSOLE, UUID_TEXT
from pyapi.api.requests import DETAIL_PREFIX, RETRY_AFTER_SECONDS, status_name

__all__ = ["HTML", "TEXT", "Description", "Stored", "describes", "document", "operations"]

Schema = dict[str, Any]
View = TypeVar("View", bound=Callable[..., Any])

# The types of replies that are no JSON: a page, and lines of text.
HTML = "text/html"
TEXT = "text/plain"

_ATTRIBUTE = "described_as"
_REFERENCE = "#/components/schemas/{model}"
# Flask answers HEAD for each GET route, with the same reply but no body.
_IMPLIED_METHODS = {"HEAD", "OPTIONS"}
_ANY_ROUTE_REFUSES = ("RR017",)
_ETAG: Schema = {
    "ETag": {"description": "Names what the reply shows. It is weak.", "schema": {"type": "string"}, "required": True}
}
_IF_NONE_MATCH: Schema = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETags of replies that the caller has: if one of them is still right, the status is 304.",
    "schema": {"type": "string"},
}
_HEADERS: Mapping[int, Schema] = {
    HTTPStatus.UNAUTHORIZED: {
        "WWW-Authenticate": {
            "description": "What is wrong with the token.",
            "schema": {"type": "string"},
            "required": True,
        }
    },
    HTTPStatus.SERVICE_UNAVAILABLE: {
        "Retry-After": {
            "description": "After how many seconds to try again.",
            "schema": {"type": "integer", "const": RETRY_AFTER_SECONDS},
            "required": True,
        }
    },
}
# These exist in the sample data, so that readers can try them.
_EXAMPLES = {"country_id": "us", "report_id": 4, "simulation_id": 5, "run_sequence": 1, "rerun_id": 1}


class Stored(BaseModel):
    """A row, or another result of a routine. It has exactly these names."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Description:
    """What a route accepts and returns.

    replies: the type of the result by status; None is a reply without a body, HTML is a page and TEXT is lines.
    refusals: our SQLSTATEs that its routine raises. RR017 is not listed, because every routine may raise it.
    body, is_body_optional, unusable: the model of the body, whether the request may have no body, and the status of
    the reply to a body or query that cannot be used.
    query, headers: the models of these parameters.
    is_enveloped: whether the result is inside the envelope. Under DETAIL_PREFIX it never is.
    asks_database: whether the route uses the database, so that errors of the database are possible.
    is_open: whether the route needs no token.
    is_tagged: whether a reply has an ETag, and If-None-Match with it is answered with 304.
    """

    replies: Mapping[int, Any]
    refusals: tuple[str, ...] = ()
    body: type[BaseModel] | None = None
    is_body_optional: bool = False
    unusable: int = HTTPStatus.BAD_REQUEST
    query: type[BaseModel] | None = None
    headers: type[BaseModel] | None = None
    is_enveloped: bool = True
    asks_database: bool = True
    is_open: bool = False
    is_tagged: bool = False


def describes(replies: Mapping[int, Any] | Any, refusals: str = "", **more: Any) -> Callable[[View], View]:
    """Describe a route. ``refusals`` are separated by spaces; the other arguments are those of Description.

    When ``replies`` is not a mapping, it is the type of the result with status 200.
    """
    by_status: Mapping[int, Any] = replies if isinstance(replies, Mapping) else {HTTPStatus.OK: replies}
    description = Description(by_status, tuple(refusals.split()), **more)

    def attach(view: View) -> View:
        setattr(view, _ATTRIBUTE, description)
        return view

    return attach


@dataclass(frozen=True)
class Operation:
    """One method of one rule."""

    rule: Rule
    method: str
    view: Callable[..., Any]
    description: Description

    @property
    def path(self) -> str:
        """The rule as OpenAPI writes it."""
        return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", self.rule.rule)

    @property
    def uses_detail(self) -> bool:
        """Whether errors are answered as {"detail": ...} and results without the envelope."""
        return self.rule.rule.startswith(f"{DETAIL_PREFIX}/")


def operations(app: Flask) -> Iterator[Operation]:
    """Every route and method of the API; the console's are none. Raises LookupError for one without a description."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith(f"{CONSOLE}."):
            continue
        view = app.view_functions[rule.endpoint]
        description = getattr(view, _ATTRIBUTE, None)
        if description is None:
            raise LookupError(f"The route {rule.rule} has no description. Add @describes to its function.")
        for method in sorted((rule.methods or set()) - _IMPLIED_METHODS):
            yield Operation(rule, method, view, description)


# --- schemas ---------------------------------------------------------------------------------


@dataclass
class _Schemas:
    """Schemas of types. Schemas of models are collected by name."""

    named: dict[str, Schema] = field(default_factory=dict)

    def of(self, kind: Any, mode: JsonSchemaMode) -> Schema:
        schema = TypeAdapter(kind).json_schema(mode=mode, ref_template=_REFERENCE)
        for name, named in schema.pop("$defs", {}).items():
            self._keep(name, named)
        if inspect.isclass(kind) and issubclass(kind, BaseModel):
            return self._keep(kind.__name__, schema)
        return schema

    def _keep(self, name: str, schema: Schema) -> Schema:
        known = self.named.setdefault(name, schema)
        if known != schema:
            raise ValueError(f"Two models have the name {name}. Rename one of them.")
        return {"$ref": _REFERENCE.format(model=name)}

    def properties(self, model: type[BaseModel] | None) -> Iterator[tuple[str, Schema, bool]]:
        """Each parameter of a model: its name, its schema, and whether it is required."""
        if model is not None:
            schema = model.model_json_schema(by_alias=True)
            for name, part in schema["properties"].items():
                # None stands for a parameter that is absent.
                if part.get("default", True) is None:
                    del part["default"]
                yield name, part, name in schema.get("required", [])


def _parameters(operation: Operation, schemas: _Schemas) -> Iterator[Schema]:
    for name, converter in operation.rule._converters.items():
        schema: Schema = {"type": "string", "minLength": 1, "pattern": "^[^/]+$"}
        if isinstance(converter, IntegerConverter):
            schema = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
        elif isinstance(converter, UUIDConverter):
            schema = {"type": "string", "format": "uuid", "pattern": f"^{UUID_TEXT}$"}
        if name in _EXAMPLES:
            schema["examples"] = [_EXAMPLES[name]]
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    for place, model in (("query", operation.description.query), ("header", operation.description.headers)):
        for name, schema, is_required in schemas.properties(model):
            text = schema.pop("description", "")
            yield {"name": name, "in": place, "required": is_required, "description": text, "schema": schema}
    if operation.description.is_tagged:
        yield _IF_NONE_MATCH


def _codes(operation: Operation) -> dict[int, set[str]]:
    """The codes of the possible refusals of an operation, by status. A code of two characters is a class."""
    described = operation.description
    codes: dict[int, set[str]] = {HTTPStatus.INTERNAL_SERVER_ERROR: {status_name(HTTPStatus.INTERNAL_SERVER_ERROR)}}

    def add(status: int, *more: str) -> None:
        codes.setdefault(status, set()).update(more or {status_name(status)})

    takes_values = bool(operation.rule.arguments or described.body or described.query or described.headers)
    if not described.is_open:
        add(HTTPStatus.UNAUTHORIZED)
    if operation.rule.arguments:
        # A wrong integer, or one more slash, makes another path, which does not exist.
        add(HTTPStatus.NOT_FOUND)
    if described.body is not None:
        add(described.unusable)
        add(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        add(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    if described.query is not None:
        add(described.unusable)
    if described.asks_database:
        for code, status in HTTP_STATUS.items():
            is_ours = code.startswith(("RR", "RC"))
            if code in (*described.refusals, *_ANY_ROUTE_REFUSES) if is_ours else status != 400 or takes_values:
                add(status, code)
        add(HTTPStatus.SERVICE_UNAVAILABLE)
        if takes_values:
            add(HTTPStatus.BAD_REQUEST)
    return codes


def _code_schema(codes: Iterable[str]) -> Schema:
    whole = sorted(code for code in codes if len(code) > 2)
    classes = sorted(code for code in codes if len(code) == 2)
    if not classes:
        return {"enum": whole}
    pattern = f"^({'|'.join(classes)})[0-9A-Z]{{3}}$"
    return {"anyOf": [{"enum": whole}, {"type": "string", "pattern": pattern}]}


def _refusal(operation: Operation, status: int, codes: Iterable[str]) -> Schema:
    schema: Schema = {"$ref": _REFERENCE.format(model="Detail")}
    if not operation.uses_detail:
        schema = {
            "allOf": [{"$ref": _REFERENCE.format(model="Refusal")}],
            "type": "object",
            "properties": {"code": _code_schema(codes)},
        }
    described = ", ".join(sorted(code if len(code) != 2 else f"class {code}" for code in codes))
    return {
        "description": f"{HTTPStatus(status).phrase}: {described}.",
        **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
        "content": {"application/json": {"schema": schema}},
    }


def _reply(operation: Operation, status: int, kind: Any, schemas: _Schemas) -> Schema:
    described: Schema = {"description": HTTPStatus(status).phrase}
    if operation.description.is_tagged:
        described["headers"] = _ETAG
    if kind in (HTML, TEXT):
        return {**described, "content": {kind: {"schema": {"type": "string"}}}}
    if status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
        return described
    schema = schemas.of(kind, "serialization")
    if operation.description.is_enveloped and not operation.uses_detail:
        schema = {
            "type": "object",
            "properties": {"status": {"const": "ok"}, "message": {"type": ["string", "null"]}, "result": schema},
            "required": ["status", "message", "result"],
            "additionalProperties": False,
        }
    return {**described, "content": {"application/json": {"schema": schema}}}


def _described(operation: Operation, schemas: _Schemas) -> Schema:
    description = operation.description
    replies = dict(description.replies)
    if description.is_tagged:
        replies[HTTPStatus.NOT_MODIFIED] = None
    summary, _, further = inspect.cleandoc(operation.view.__doc__ or "").partition("\n")
    answers = {
        **{status: _reply(operation, status, kind, schemas) for status, kind in replies.items()},
        **{status: _refusal(operation, status, codes) for status, codes in _codes(operation).items()},
    }
    described: Schema = {
        "operationId": operation.rule.endpoint,
        "tags": [operation.rule.endpoint.partition(".")[0]],
        "summary": summary,
        "responses": {str(int(status)): answers[status] for status in sorted(answers)},
    }
    if further.strip():
        described["description"] = further.strip()
    if parameters := list(_parameters(operation, schemas)):
        described["parameters"] = parameters
    if description.body is not None:
        described["requestBody"] = {
            "required": not description.is_body_optional,
            "content": {"application/json": {"schema": schemas.of(description.body, "validation")}},
        }
    if description.is_open:
        described["security"] = []
    return described


# --- the document ----------------------------------------------------------------------------


class Refusal(Stored):
    """The envelope of a request that was refused or failed. code is for programs, message and hint are for people."""

    status: Literal["error"]
    message: str
    result: None
    code: str
    hint: str | None = None


class Detail(Stored):
    """The reply of the carbon routes to a request that was refused or failed."""

    detail: str


def _refusal_schema() -> Schema:
    schema = Refusal.model_json_schema()
    # The hint may be absent, but it is never null.
    schema["properties"]["hint"] = {"title": "Hint", "type": "string"}
    return schema


def document(app: Flask) -> Schema:
    """The OpenAPI 3.1 document of an application. Raises LookupError for a route without a description."""
    schemas = _Schemas({"Refusal": _refusal_schema(), "Detail": Detail.model_json_schema()})
    paths: dict[str, Schema] = {}
    for operation in operations(app):
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "pgreprise",
            "version": version("pgreprise"),
            "summary": "Rerun stored reports safely.",
            "description": (
                "HEAD works wherever GET works. Another method that a path does not have is answered with 405, and "
                "the header Allow lists its methods. An unknown path is answered with 404. When no key is "
                "configured, the API needs no token."
            ),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "schemas": dict(sorted(schemas.named.items())),
            "responses": {
                "MethodNotAllowed": {
                    "description": "The path does not have this method.",
                    "headers": {"Allow": {"schema": {"type": "string"}, "required": True}},
                    "content": {"application/json": {"schema": {"$ref": _REFERENCE.format(model="Refusal")}}},
                }
            },
        },
    }
