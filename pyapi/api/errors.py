"""Errors from the database and from Flask become replies.

Our routines raise SQLSTATEs of our own. Their message and hint are sent to the caller. For PostgreSQL's own errors the
reply has a fixed text, because PostgreSQL's text may show statements, parameters and hosts. That text only goes to the
log. What the host's own constraints and triggers say is sent, without their detail, which has values of rows.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from http import HTTPStatus

import psycopg
import sqlalchemy.exc
from flask import Flask, request
from werkzeug.exceptions import HTTPException

from pyapi.api.context import request_id
from pyapi.api.requests import Reply, failure, status_name
from pyapi.database import sqlstate
from pyapi.schema.causes import Cause, cause_of, has_failed, host_message, lost_column

__all__ = ["HTTP_STATUS", "WHEN_TO_RETRY", "Failure", "explain", "register_error_handlers"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """What a caller is told of an error. ``code`` is a SQLSTATE, or the name of the HTTP status."""

    http_status: int
    message: str
    code: str
    hint: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Condition:
    """The reply to one of PostgreSQL's own errors."""

    http_status: int
    message: str
    hint: str


# For programs; a person who reads a hint on a page sees no headers.
WHEN_TO_RETRY = " The Retry-After header says after how many seconds."
_RETRY = f"Try again.{WHEN_TO_RETRY}"
_UNCHANGED = f"Nothing was changed. {_RETRY}"

_BUSY = Condition(503, "Other transactions have locked rows that this request needs.", _UNCHANGED)
_SLOW = Condition(503, "The request took too long in the database and was cancelled.", _UNCHANGED)
_AWAY = Condition(503, "The database cannot be reached.", _RETRY)
_READ_ONLY = Condition(
    503, "The database is read only: it is a standby, or it was made read only. Nothing was changed.", _RETRY
)
_FULL = Condition(503, "The database, or this API, has run out of disk, memory or connections.", _UNCHANGED)
_NOT_MIGRATED = Condition(
    503, "The database lacks a routine or table that this version of the API needs.", "Run `pgreprise migrate`."
)
_FORBIDDEN = Condition(
    403,
    "The database role of this API lacks a right that this request needs.",
    "Make the database role of this API a member of pgreprise_api.",
)
_OUT_OF_RANGE = Condition(400, "A number is out of range.", "Ids are between 1 and 9223372036854775807.")
_TOO_LONG = Condition(400, "A text is longer than its column.", "Shorten the text.")
_BAD_TEXT = Condition(
    400, "A text holds a character that the database cannot store.", "Remove NUL and invalid Unicode from the text."
)
_NOT_JSON = Condition(
    400, "The output is not JSON text.", "Send a JSON value; a string has to hold JSON. NaN and Infinity are not JSON."
)
_TOO_COMPLEX = Condition(400, "A value is too large or too deeply nested for the database.", "Make the value smaller.")

# The key is a SQLSTATE, or the first two characters of one for all others of that class.
_CONDITIONS = {
    "08": _AWAY,  # connection exceptions
    "22001": _TOO_LONG,
    "22003": _OUT_OF_RANGE,
    "22021": _BAD_TEXT,
    "22P02": _NOT_JSON,  # the output is the only argument that PostgreSQL converts from text
    "22P05": _BAD_TEXT,
    "25006": _READ_ONLY,
    "3F000": _NOT_MIGRATED,
    "40001": _BUSY,
    "40P01": _BUSY,
    "42501": _FORBIDDEN,
    "42883": _NOT_MIGRATED,
    "42P01": _NOT_MIGRATED,
    "53": _FULL,  # insufficient resources
    "54": _TOO_COMPLEX,  # program limit exceeded
    "55P03": _BUSY,
    "57": _AWAY,  # operator intervention: the server is stopping or starting, or it ended the session
    "57014": _SLOW,
}

# The HTTP status of each SQLSTATE, or class of SQLSTATEs, that is not a bug of the program.
HTTP_STATUS: dict[str, int] = {
    "RR001": 404,
    "RR002": 400,
    "RR003": 400,
    "RR004": 400,
    "RR005": 400,
    "RR006": 409,
    "RR007": 404,
    "RR008": 400,
    "RR009": 409,
    "RR010": 409,
    "RR011": 409,
    "RR012": 409,
    "RR013": 404,
    "RR014": 409,
    "RR015": 400,
    "RR016": 400,
    "RR017": 403,
    "RR018": 404,
    "RR019": 404,
    "RR020": 409,
    "RR021": 409,
    "RR022": 409,
    "RR023": 503,
    "RR024": 409,
    "RR025": 409,
    "RR026": 409,
    "RR027": 409,
    "RR028": 404,
    "RR029": 409,
    "RR030": 409,
    "RR031": 409,
    "RR032": 409,
    "RR033": 400,
    "RR034": 503,
    "RR035": 503,
    "RR036": 400,
    "RC001": 404,
    "RC002": 403,
    "RC003": 404,
    "RC004": 409,
    "RC005": 422,
    "RC006": 422,
    "RC008": 422,
    "RC013": 400,
    "RC014": 422,
    "RC015": 404,
    "RC016": 422,
    "RC017": 409,
    "RC018": 409,
    "RC019": 503,
    **{code: condition.http_status for code, condition in _CONDITIONS.items()},
}


_RUNS = "GET /<country_id>/report/<report_id>/runs lists them, with the rerun_id of each."
# The hints of the routines are for people at the database, and some are statements. These are for callers over HTTP.
_HINTS = {
    "RR006": "An operator has to set the current economy cache version of the country.",
    "RR009": "An operator has to set the current versions of the country.",
    "RR010": (
        "Nothing was changed. Undo the later reruns first, the newest first. A token with the scope reports:admin may "
        'overwrite later results with {"force": true}. Where that is refused too, rerun the report.'
    ),
    "RR013": f"Check the id of the rerun. {_RUNS}",
    "RR014": f"Nothing was changed. {_RUNS}",
    "RR018": "Check the id of the batch.",
    "RR019": "GET /<country_id>/report/<report_id>/runs lists the runs, and says which of them have an output.",
    "RR020": "Nothing was changed. Get the report: it tells its run and status. A rerun starts its next run.",
    "RR021": "The owner of these tables finds what to do in the log of this API.",
    "RR022": "A trigger of the application does this. Its owner finds more in the log of this API.",
    "RR023": _RETRY,
    "RR024": "Nothing was changed. Give the number of reports that the filter finds.",
    "RR025": "Nothing was changed. What the batch has rerun stays.",
    "RR026": "An operator has to set how long the archive is kept.",
    "RR028": "Check the id of the claim, and that the report or simulation is one of it.",
    "RR030": "Nothing was changed. Give the run_sequence that was read, or the claim_id, with the write.",
    "RR031": "Nothing was changed. Finish the simulations of the claim first.",
    "RR032": "Nothing was changed. A run that a worker computes can be cancelled.",
    "RR034": _RETRY,
    "RR035": f"The other servers work. {_RETRY}",
    "RR036": "Name one of the servers.",
}
# What the owner of the tables has to do is in the hint of the routine, and so in the log.
_FOR_THE_OWNER = ("RR021", "RR022", "RR023", "RC017", "RC018", "RC019")


def _failure(condition: Condition, error: Exception, code: str | None = None) -> Failure:
    # Operators should see problems of the server and its configuration, but not the bad values of callers.
    if condition.http_status >= 500 or condition is _FORBIDDEN:
        cause = error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) else error
        logger.warning("%s %r: %s %s", request.method, request.path, code or type(cause).__name__, cause)
    status = condition.http_status
    return Failure(status, condition.message, code or status_name(status), condition.hint)


def _names_the_row(said: psycopg.errors.Diagnostic) -> bool:
    # Ours, of raise_lock_wait; PostgreSQL's own text is about statements.
    return said.source_function == "exec_stmt_raise" and (said.message_detail or "").startswith("{")


def _refusal_of_the_host(code: str, error: psycopg.Error) -> Failure:
    logger.warning("%s %r: %s %s", request.method, request.path, code, error)
    said = "A trigger of the database failed" if has_failed(error) else "The database has a rule against this"
    return Failure(
        HTTPStatus.CONFLICT,
        f"{said}: {host_message(error).rstrip('.')}. Nothing was changed.",
        code,
        hint="The trigger or constraint belongs to the application whose tables these are. The log has the detail.",
    )


def _changed_tables(code: str, error: psycopg.Error) -> Failure:
    logger.error("%s %r: %s %s", request.method, request.path, code, error)
    column = lost_column(error)
    return Failure(
        HTTPStatus.SERVICE_UNAVAILABLE,
        f"A table of the application was changed: the column {column} is missing or has another type. "
        "Nothing was changed."
        if column
        else "A table of the application was changed: a column or table is missing or has another type. "
        "Nothing was changed.",
        code,
        hint="Run `pgreprise doctor`. It names what is different.",
    )


def _from_database(error: sqlalchemy.exc.DBAPIError) -> Failure:
    code = sqlstate(error)
    if code is None:
        # psycopg raised the error, and not the server.
        match error.orig:
            case psycopg.DataError():
                return _failure(_BAD_TEXT, error)
            case psycopg.OperationalError() | psycopg.InterfaceError():
                return _failure(_AWAY, error)
        return _unknown(error)

    assert isinstance(error.orig, psycopg.Error)
    match cause_of(error.orig):
        case Cause.HOST_RULE:
            return _refusal_of_the_host(code, error.orig)
        case Cause.HOST_TABLES:
            return _changed_tables(code, error.orig)
    condition = _CONDITIONS.get(code) or _CONDITIONS.get(code[:2])
    if condition is _BUSY and _names_the_row(error.orig.diag):
        condition = replace(_BUSY, message=error.orig.diag.message_primary or _BUSY.message, hint=_RETRY)
    if condition is not None:
        return _failure(condition, error, code)
    if code in HTTP_STATUS:
        diagnostics = error.orig.diag
        hint = _HINTS.get(code, diagnostics.message_hint)
        if code in _FOR_THE_OWNER:
            logger.warning("%s %r: %s %s", request.method, request.path, code, diagnostics.message_hint)
        return Failure(HTTP_STATUS[code], diagnostics.message_primary or code, code, hint)
    return _unknown(error)


def _from_http(error: HTTPException) -> Failure:
    status = error.code or 500
    # For example Allow, which lists the allowed methods.
    headers = tuple((name, value) for name, value in error.get_headers() if name != "Content-Type")
    return Failure(status, error.description or error.name, status_name(status), headers=headers)


def _unknown(error: Exception) -> Failure:
    incident = request_id()
    logger.error("%s %s %r", incident, request.method, request.path, exc_info=error)
    message = f"An unexpected error occurred. The log describes it under the id {incident}."
    return Failure(500, message, status_name(500), "Report the id.")


def explain(error: Exception) -> Failure:
    """What the caller of the request is told of an error; the log gets the rest."""
    match error:
        case sqlalchemy.exc.DBAPIError():
            return _from_database(error)
        case sqlalchemy.exc.TimeoutError():
            # No connection of the pool became free.
            return _failure(_FULL, error)
        case UnicodeEncodeError():
            # The database has another encoding.
            return _failure(_BAD_TEXT, error)
        case HTTPException():
            return _from_http(error)
    return _unknown(error)


def _answer(error: Exception) -> Reply:
    told = explain(error)
    response, status = failure(told.http_status, told.message, code=told.code, hint=told.hint)
    for name, value in told.headers:
        response.headers[name] = value
    return response, status


def register_error_handlers(app: Flask) -> None:
    """Answer every error of the application in the envelope. The reply to an unexpected error shows no details."""
    app.register_error_handler(HTTPException, _answer)
    app.register_error_handler(Exception, _answer)
