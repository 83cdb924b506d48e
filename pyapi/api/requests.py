"""What the routes share: calls as whoever sent the request, the body of a request, the envelope of a reply."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from flask import Response, current_app, g, jsonify, request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails, PydanticCustomError
from sqlalchemy import Engine
from werkzeug.exceptions import BadRequest, HTTPException, UnsupportedMediaType
from werkzeug.http import HTTP_STATUS_CODES

from pyapi import database

__all__ = [
    "DETAIL_PREFIX",
    "ENGINE",
    "RETRY_AFTER_SECONDS",
    "Body",
    "Reply",
    "RowId",
    "Text",
    "Update",
    "act_as",
    "body",
    "call",
    "call_procedure",
    "caller",
    "failure",
    "optional_body",
    "status_name",
    "success",
]

Reply = tuple[Response, int]

# The key of the engine in app.extensions.
ENGINE = "pgreprise.engine"
# Paths under it answer errors as {"detail": ...}, the form of the application whose routes they keep.
DETAIL_PREFIX = "/api/v1"
RETRY_AFTER_SECONDS = 5
_PROBLEMS_SHOWN = 3
# A backslash before the escape makes it text; inside JSON, backslashes stand in strings only.
_NUL_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def act_as(claims: str | None) -> None:
    """Let this request's calls have these claims, the text of a JSON object, or none."""
    g.claims = claims


def caller() -> tuple[Engine, str | None]:
    """The engine, and the claims of whoever sent the request."""
    # A request whose claims nobody has set is a fault; it must not become a call without any.
    return current_app.extensions[ENGINE], g.claims


def call(routine: str, *, columns: str = "*", **arguments: Any) -> list[dict[str, Any]]:
    """Call a function as whoever sent the request; otherwise as ``pyapi.database.call``."""
    engine, claims = caller()
    return database.call(engine, routine, columns=columns, claims=claims, **arguments)


def call_procedure(routine: str, **arguments: Any) -> Any:
    """Call a procedure as whoever sent the request; otherwise as ``pyapi.database.call_procedure``."""
    engine, claims = caller()
    return database.call_procedure(engine, routine, claims=claims, **arguments)


def success(message: str, result: object, status: int = HTTPStatus.OK) -> Reply:
    """The envelope of a request that was done."""
    return jsonify(status="ok", message=message, result=result), status


def status_name(status: int) -> str:
    """The name of an HTTP status, which is the code of an error that has no SQLSTATE."""
    # HTTPStatus names 413 differently from one Python to the next.
    return HTTP_STATUS_CODES[status].upper().replace(" ", "_")


def failure(status: int, message: str, *, code: str | None = None, hint: str | None = None) -> Reply:
    """The envelope of a request that was not done; ``code`` is a SQLSTATE or else the name of the HTTP status.

    Under DETAIL_PREFIX it is {"detail": message}. Every 503 says when to try again.
    """
    envelope = {"status": "error", "message": message, "result": None, "code": code or status_name(status)}
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


def _json_text(value: object) -> object:
    """An object as JSON text; text stays as it is, byte for byte, and PostgreSQL judges whether it is JSON."""
    if isinstance(value, dict):
        try:
            value = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        except ValueError as error:
            raise PydanticCustomError("not_json", "NaN, Infinity and numbers beyond a double are not JSON") from error
    if value is not None and not isinstance(value, str):
        raise PydanticCustomError("not_json", "Give an object, or a string that holds JSON text")
    if value is not None and _NUL_ESCAPE.search(value):
        raise PydanticCustomError("nul", "JSON text must not contain the escape \\u0000")
    return value


RowId = Annotated[int, Field(ge=1, le=2**63 - 1)]
RunSequence = Annotated[int, Field(ge=1, le=2**31 - 1)]
Text = Annotated[str, AfterValidator(_without_nul), Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})]
JsonText = Annotated[
    Text | None,
    BeforeValidator(_json_text),
    WithJsonSchema({"type": ["object", "string", "null"], "description": "An object, or a string that holds JSON."}),
]


class Body(BaseModel):
    """A request's body: values of exactly these names and JSON types."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Update(Body):
    """PATCH: the row, and the values to write to it; null leaves a value as it is.

    With run_sequence, the run that the worker read with the row, the write is refused when it has ended.
    """

    id: RowId
    status: Text | None = None
    output: JsonText = None
    error_message: Text | None = None
    run_sequence: RunSequence | None = None


Model = TypeVar("Model", bound=BaseModel)


def _problem(error: ErrorDetails) -> str:
    place = ".".join(str(part)[:64] for part in error["loc"])
    return f"{place}: {error['msg']}" if place else error["msg"]


def optional_body(model: type[Model]) -> Model:
    """As ``body``, for a request that may come without one: then every value is its default."""
    return body(model) if request.get_data() else model()


def body(model: type[Model], *, unusable: type[HTTPException] = BadRequest) -> Model:
    """The request's JSON body.

    Raises ``unusable`` when it is not JSON or not what ``model`` describes, UnsupportedMediaType when
    it says that it is something else, and RequestEntityTooLarge when it is longer than MAX_CONTENT_LENGTH.
    """
    if request.mimetype and not request.is_json:
        raise UnsupportedMediaType("The body must be JSON. Send it with Content-Type: application/json.")
    try:
        return model.model_validate_json(request.get_data(cache=False))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        shown = "; ".join(_problem(problem) for problem in problems[:_PROBLEMS_SHOWN])
        more = f" (and {len(problems) - _PROBLEMS_SHOWN} more)" if len(problems) > _PROBLEMS_SHOWN else ""
        raise unusable(f"The body is not usable: {shown}{more}.") from error
