"""What all routes share: calls with the claims of the request, the body of a request, the envelope of a reply."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, TypeVar

from flask import Response, current_app, g, jsonify, request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError, from_json, to_json
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from werkzeug.exceptions import BadRequest, HTTPException, UnsupportedMediaType
from werkzeug.http import HTTP_STATUS_CODES

from pyapi import database
from pyapi.api.context import request_context
from pyapi.api.paths import NUMBER
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
    "Written",
    "act_as",
    "body",
    "call",
    "call_procedure",
    "call_tagged",
    "caller",
    "failure",
    "json_text",
    "last_values",
    "no_query",
    "optional_body",
    "query",
    "status_name",
    "success",
    "tagged",
]

logger = logging.getLogger(__name__)

Reply = tuple[Response, int]

# The key of the engine in app.extensions.
ENGINE = "pgreprise.engine"
# Routes under this prefix answer errors as {"detail": ...}, as the application does whose clients call them.
DETAIL_PREFIX = "/api/v1"
RETRY_AFTER_SECONDS = 5
# Methods that only read (RFC 9110, section 9.2.1).
_READING = ("GET", "HEAD")
# The routines whose refusals are counted, and the kind of act of each.
_ACTS = {
    "public.rerun_report": "rerun",
    "public.undo_rerun": "undo",
    "public.cancel_run": "cancel_run",
    "public.release_stuck_run": "release_run",
    "public.create_rerun_batch": "batch",
}
_OUR_CODE = re.compile(r"R[RC]\d{3}")
_MISSING_SCOPE = "RR017"
_PROBLEMS_SHOWN = 3
_UNKNOWN_COUNTRY = "RR008"
_NUMBER = re.compile(rf"-?{NUMBER}")
# An even number of backslashes before it means that the escape is not itself escaped.
_NUL_ESCAPE = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_TAG = re.compile(r"[0-9a-f]{32}")
_ANY_TAG = "*"
_TAGS_READ = 100
# Escapes of NUL and of a colon.
_COUNTED_ESCAPE = re.compile(rb"\\u00(?:00|3[aA])")


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
        if replica is not None and (rows := replica.call(engine, routine, **wanted)) is not None:
            return rows
        return database.call(engine, routine, is_reading=True, **wanted)
    with _noted(replica, engine), _counted(routine):
        return database.call(engine, routine, request=request_context(), **wanted)


def call_procedure(routine: str, **arguments: Any) -> Any:
    """Call a procedure with the claims of the request; see ``pyapi.database.call_procedure``."""
    engine, claims = caller()
    with _noted(current_app.extensions[REPLICA], engine), _counted(routine):
        return database.call_procedure(engine, routine, claims=claims, request=request_context(), **arguments)


@contextmanager
def _noted(replica: Replica | None, primary: Engine) -> Iterator[None]:
    """Note a write for those who read from the replica, also one that failed: it may have been committed."""
    try:
        yield
    finally:
        if replica is not None:
            replica.note_write(primary)


@contextmanager
def _counted(routine: str) -> Iterator[None]:
    """Count an act that is refused, in a transaction of its own: that of the act is rolled back."""
    try:
        yield
    except DBAPIError as error:
        code = database.sqlstate(error) or ""
        # Who may not act at all may not count either.
        if routine in _ACTS and code != _MISSING_SCOPE and _OUR_CODE.fullmatch(code):
            _count_refusal(_ACTS[routine], code)
        raise


def _count_refusal(kind: str, code: str) -> None:
    engine, claims = caller()
    try:
        database.call(engine, "public.record_refusal", claims=claims, kind=kind, errcode=code)
    except SQLAlchemyError as error:
        # The caller is to hear of the refusal itself.
        logger.warning("%s %r: the refusal %s was not counted: %s", request.method, request.path, code, error)


def success(message: str | None, result: object, status: int = HTTPStatus.OK) -> Reply:
    """The reply to a request that succeeded, in the envelope."""
    return jsonify(status="ok", message=message, result=result), status


def call_tagged(routine: str, **arguments: Any) -> tuple[dict[str, Any] | None, str]:
    """The row of a function that has a tag, and its ETag; no row where the caller has it, so that 304 is the reply.

    The database makes the tags, and reads no output where If-None-Match has that of the row.
    """
    known = _known_tags()
    [row] = call(routine, known_tags=known, **arguments)
    tag = row.pop("tag")
    return None if known is not None and (tag in known or _ANY_TAG in known) else row, tag


def _known_tags() -> list[str] | None:
    """The tags of the header If-None-Match, weak or strong; None where none of them may be one of ours."""
    if "HTTP_IF_NONE_MATCH" not in request.environ:
        return None
    sent = request.if_none_match
    if sent.star_tag:
        return [_ANY_TAG]
    # A tag without quotes is None among them.
    return [tag for tag in sent.as_set(include_weak=True) if tag and _TAG.fullmatch(tag)][:_TAGS_READ] or None


def tagged(message: str | None, row: dict[str, Any] | None, tag: str) -> Reply:
    """The reply with a row of ``call_tagged``: 304 without a body where there is none.

    The ETag is weak: it tells of the row, and the row may be written in other bytes, or compressed.
    """
    response, status = (
        (Response(mimetype="application/json"), HTTPStatus.NOT_MODIFIED) if row is None else success(message, row)
    )
    response.set_etag(tag, weak=True)
    return response, status


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


def _only_plain(value: object) -> object:
    # pydantic would take +4, 4.0, 4_0, 04, spaces around and digits of other scripts for 4 too.
    if isinstance(value, str) and _NUMBER.fullmatch(value) is None:
        raise PydanticCustomError("number", "A number is written in plain digits, as in 4")
    return value


# What makes a number that is written in a query one of one spelling.
Written = BeforeValidator(_only_plain)
RowId = Annotated[int, Field(ge=1, le=2**63 - 1)]
Text = Annotated[str, AfterValidator(_without_nul), Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})]


class Body(BaseModel):
    """The body of a request that acts. Its values must have exactly these names and JSON types."""

    model_config = ConfigDict(strict=True, extra="forbid")


class NoFields(Body):
    """An empty object: the request needs no body."""


Model = TypeVar("Model", bound=BaseModel)


class _UnusableError(Exception):
    """JSON that fits the model, and yet cannot be used; the message says why."""


class _Repeated(dict[str, Any]):
    """An object of JSON in which a key stands more than once. It is written as it was read."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self._pairs = pairs

    def items(self) -> Any:
        """The keys and values in their order, as they are written."""
        return self._pairs

    def repeated(self) -> str:
        """The first key that is repeated."""
        seen: set[str] = set()
        return next(name for name, _ in self._pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]


def _repeated(value: object) -> Iterator[_Repeated]:
    """All objects in a value in which a key is repeated."""
    inner: Iterable[Any] = ()
    match value:
        case _Repeated():
            yield value
            inner = (part for _, part in value.items())
        case dict():
            inner = value.values()
        case list():
            inner = value
    for part in inner:
        yield from _repeated(part)


def _refuse_constant(name: str) -> None:
    # pydantic reads NaN and Infinity.
    raise _UnusableError(f"{name} is not JSON")


def _read_once(model: type[Model], data: bytes) -> Model | None:
    """The body where one look finds nothing to refuse in it, and no key that stands twice; else None.

    A body may be large, so nothing of it is looked at one by one: each step is one call of compiled code. What None is
    returned for is read again, slowly, by what says what is wrong with it.
    """
    # An escaped colon would not be counted below; NUL is refused.
    if _COUNTED_ESCAPE.search(data):
        return None
    try:
        sent = from_json(data, allow_inf_nan=False)
        large = {name: sent.pop(name) for name in getattr(model, "stored_as_sent", ()) if name in sent}
        kept = {name: value if isinstance(value, str) else to_json(value).decode() for name, value in large.items()}
        rest = to_json(sent)
        read = model.model_validate_json(rest)
    except (ValueError, AttributeError, TypeError):
        return None
    # Of equal keys the last was kept, and there are fewer colons than were sent.
    if data.count(b":") != rest.count(b":") + len(kept) + sum(text.count(":") for text in kept.values()):
        return None
    for name, value in large.items():
        text = kept[name]
        # Beyond a double, and NUL, which may be one backslash after another. Most texts have no backslash at all.
        if ("Infinity" in text and not isinstance(value, str)) or "\0" in text or ("\\" in text and "\\u0000" in text):
            return None
        setattr(read, name, None if value is None else text)
    return read


def _with_all_keys(model: type[Model], data: bytes) -> Model | None:
    """The body with every key that was sent, where the last of equal ones is not all that counts; else None.

    Raises _UnusableError for a key that is repeated, other than in what is stored as it is sent, and for a NUL in what
    no field of the model has looked at.
    """
    if b"\\u0000" in data and _NUL_ESCAPE.search(data):
        raise _UnusableError("text must not contain the character NUL")
    found: list[_Repeated] = []

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        read = dict(pairs)
        if len(read) < len(pairs):
            read = _Repeated(pairs)
            found.append(read)
        return read

    try:
        read = json.loads(data, object_pairs_hook=keep, parse_constant=_refuse_constant)
    except ValueError as error:
        raise _UnusableError("a number has too many digits") from error
    if not found:
        return None
    kept = getattr(model, "stored_as_sent", ())
    is_object = isinstance(read, dict) and not isinstance(read, _Repeated)
    in_order = {id(part) for name in kept for part in _repeated(read.get(name))} if is_object else set()
    if wrong := [part for part in found if id(part) not in in_order]:
        raise _UnusableError(f"the key {wrong[-1].repeated()[:64]!r} stands twice in one object")
    return model.model_validate(read)


class OpenBody(Body):
    """The body of a request that stores a row. Fields with other names are ignored, as the application does."""

    # The fields in which objects keep every key, also one that is repeated.
    stored_as_sent: ClassVar[tuple[str, ...]] = ()

    model_config = ConfigDict(extra="ignore")


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


def last_values() -> dict[str, str]:
    """The parameters of the query; the last value of one that is repeated."""
    return {name: values[-1] for name, values in request.args.lists()}


def query(model: type[Model]) -> Model:
    """The parameters of the query. Raises BadRequest when they do not fit ``model``."""
    try:
        return model.model_validate(last_values())
    except ValidationError as error:
        raise BadRequest(f"The query cannot be used: {problems(error)}.") from error


def no_query(*but: str) -> None:
    """Raise BadRequest where the query has other parameters than these: what they ask for would not happen."""
    if unknown := [name[:64] for name in request.args if name not in but]:
        names = ", ".join(unknown[:_PROBLEMS_SHOWN])
        raise BadRequest(f"The query has unknown parameters: {names}. Nothing was done.")


def body(model: type[Model], *, unusable: type[HTTPException] = BadRequest) -> Model:
    """The JSON body of the request.

    Raises ``unusable`` when the body is not JSON or does not fit ``model``, UnsupportedMediaType when its Content-Type
    is not JSON, and RequestEntityTooLarge when it is longer than MAX_CONTENT_LENGTH.
    """
    if request.mimetype and not request.is_json:
        raise UnsupportedMediaType("The body must be JSON. Send it with Content-Type: application/json.")
    data = request.get_data(cache=False)
    if (read := _read_once(model, data)) is not None:
        return read
    try:
        read = model.model_validate_json(data)
        # pydantic has found it to be JSON, without half a surrogate pair and not too deep, and kept the last of keys.
        return _with_all_keys(model, data) or read
    except ValidationError as error:
        raise unusable(f"The body cannot be used: {problems(error)}.") from error
    except _UnusableError as error:
        raise unusable(f"The body cannot be used: {error}.") from error
