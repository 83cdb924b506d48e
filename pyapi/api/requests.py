"""What all routes share: calls with the claims of the request, the body of a request, the envelope of a reply."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from flask import Response, current_app, g, jsonify, request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError
from sqlalchemy import Engine
from werkzeug.exceptions import BadRequest, HTTPException, UnsupportedMediaType
from werkzeug.http import HTTP_STATUS_CODES

from pyapi import database
from pyapi.api.context import request_context
from pyapi.api.replica import REPLICA, Replica

__all__ = [
    "DETAIL_PREFIX",
    "ENGINE",
    "RETRY_AFTER_SECONDS",
    "Body",
    "NoFields",
    "OpenBody",
    "Reply",
    "RowId",
    "Text",
    "act_as",
    "body",
    "call",
    "call_procedure",
    "caller",
    "failure",
    "json_text",
    "no_query",
    "optional_body",
    "status_name",
    "success",
]

Reply = tuple[Response, int]

# The key of the engine in app.extensions.
ENGINE = "pgreprise.engine"
# Routes under this prefix answer errors as {"detail": ...}, as the application does whose clients call them.
DETAIL_PREFIX = "/api/v1"
RETRY_AFTER_SECONDS = 5
# Methods that only read (RFC 9110, section 9.2.1).
_READING = ("GET", "HEAD")
_PROBLEMS_SHOWN = 3
_UNKNOWN_COUNTRY = "RR008"


def act_as(claims: str | None) -> None:
    """Set the claims for the calls of this request: the text of a JSON object, or None."""
    g.claims = claims


def caller() -> tuple[Engine, str | None]:
    """The engine, and the claims of the request."""
    # This raises an error when no claims were set: a call must never be made without claims by mistake.
    return current_app.extensions[ENGINE], g.claims


def call(routine: str, *, columns: str = "*", **arguments: Any) -> list[dict[str, Any]]:
    """Call a function with the claims of the request; see ``pyapi.database.call``."""
    engine, claims = caller()
    replica: Replica | None = current_app.extensions[REPLICA]
    wanted = {**arguments, "columns": columns, "claims": claims}
    if request.method in _READING:
        if replica is not None and (rows := replica.call(routine, **wanted)) is not None:
            return rows
        return database.call(engine, routine, is_reading=True, **wanted)
    with _noted(replica, engine):
        return database.call(engine, routine, request=request_context(), **wanted)


def call_procedure(routine: str, **arguments: Any) -> Any:
    """Call a procedure with the claims of the request; see ``pyapi.database.call_procedure``."""
    engine, claims = caller()
    with _noted(current_app.extensions[REPLICA], engine):
        return database.call_procedure(engine, routine, claims=claims, request=request_context(), **arguments)


@contextmanager
def _noted(replica: Replica | None, primary: Engine) -> Iterator[None]:
    """Note a write for those who read from the replica, also one that failed: it may have been committed."""
    try:
        yield
    finally:
        if replica is not None:
            replica.note_write(primary)


def success(message: str | None, result: object, status: int = HTTPStatus.OK) -> Reply:
    """The reply to a request that succeeded, in the envelope."""
    return jsonify(status="ok", message=message, result=result), status


def status_name(status: int) -> str:
    """The name of an HTTP status. It is the code of an error that has no SQLSTATE."""
    # HTTPStatus has different names for 413 in different versions of Python.
    return HTTP_STATUS_CODES[status].upper().replace(" ", "_")


def failure(status: int, message: str, *, code: str | None = None, hint: str | None = None) -> Reply:
    """The reply to a request that was refused or failed, in the envelope; under DETAIL_PREFIX {"detail": message}.

    ``code`` is a SQLSTATE; without one the envelope has the name of the HTTP status. Every 503 says when to try again.
    """
    g.failure_code = code or status_name(status)
    # As werkzeug writes an error, and so the application whose clients read this. It answers one error by itself.
    shown = message if code == _UNKNOWN_COUNTRY else f"{status} {HTTP_STATUS_CODES[status]}: {message}"
    envelope = {"status": "error", "message": shown, "result": None, "code": g.failure_code}
    if hint is not None:
        envelope["hint"] = hint
    response = jsonify({"detail": message} if request.path.startswith(f"{DETAIL_PREFIX}/") else envelope)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response, status


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("nul", "Text must not contain the character NUL")
    return text


def json_text(value: object) -> str:
    """A value as JSON text. Raises PydanticCustomError for NaN, Infinity and numbers beyond a double."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError as error:
        raise PydanticCustomError("not_json", "NaN, Infinity and numbers beyond a double are not JSON") from error


RowId = Annotated[int, Field(ge=1, le=2**63 - 1)]
Text = Annotated[str, AfterValidator(_without_nul), Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})]


class Body(BaseModel):
    """The body of a request that acts. Its values must have exactly these names and JSON types."""

    model_config = ConfigDict(strict=True, extra="forbid")


class NoFields(Body):
    """An empty object: the request needs no body."""


class OpenBody(Body):
    """The body of a request that stores a row. Fields with other names are ignored, as the application does."""

    model_config = ConfigDict(extra="ignore")


Model = TypeVar("Model", bound=BaseModel)


def _problem(error: ErrorDetails) -> str:
    place = ".".join(str(part)[:64] for part in error["loc"])
    return f"{place}: {error['msg']}" if place else error["msg"]


def problems(error: ValidationError) -> str:
    """What is wrong with each value, in words, without the values; the first few of many."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    shown = "; ".join(_problem(problem) for problem in found[:_PROBLEMS_SHOWN])
    return f"{shown} (and {len(found) - _PROBLEMS_SHOWN} more)" if len(found) > _PROBLEMS_SHOWN else shown


def optional_body(model: type[Model]) -> Model:
    """As ``body``, for a request that may have no body. Without a body all values have their defaults."""
    return body(model) if request.get_data() else model()


def no_query() -> None:
    """Raise BadRequest where the request has a query: what it asks for would not happen."""
    if request.args:
        names = ", ".join(name[:64] for name in list(request.args)[:_PROBLEMS_SHOWN])
        raise BadRequest(f"The query has unknown parameters: {names}. Nothing was done.")


def body(model: type[Model], *, unusable: type[HTTPException] = BadRequest) -> Model:
    """The JSON body of the request.

    Raises ``unusable`` when the body is not JSON or does not fit ``model``, UnsupportedMediaType when its Content-Type
    is not JSON, and RequestEntityTooLarge when it is longer than MAX_CONTENT_LENGTH.
    """
    if request.mimetype and not request.is_json:
        raise UnsupportedMediaType("The body must be JSON. Send it with Content-Type: application/json.")
    try:
        return model.model_validate_json(request.get_data(cache=False))
    except ValidationError as error:
        raise unusable(f"The body cannot be used: {problems(error)}.") from error
