"""Errors of the console are pages: what the API would say, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlencode

from flask import Blueprint, g, make_response, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from pyapi.api.errors import WHEN_TO_RETRY, explain
from pyapi.api.requests import RETRY_AFTER_SECONDS
from pyapi.console.pages import page

__all__ = ["register_error_pages"]

# What to do next, where the API's hint is about its own paths and bodies.
_HINTS: Mapping[str, str] = {
    "RC001": "The page of units lists those that there are.",
    "RC002": "The page of units shows which roles your token has. Ask for a role on this unit.",
    "RC003": "The list of carbon reports has those that there are. An explore report that was replaced has a new id.",
    "RR010": "Undo the later acts first, the newest first. Where that is refused too, rerun the report.",
    "RR013": "The history lists the acts that there are.",
    "RR014": "The history of the report shows what can be undone.",
    "RR017": "Ask for a token with this scope, and sign in with it.",
    "RR019": "The page of the report lists its runs, and says which of them have an output.",
    "RR020": "Look at the report again.",
    "RR024": "Give the number of reports that the preview has found.",
    "RR025": "What it has rerun stays, and can be undone. For other reports make another batch.",
    "RR029": "Look at the preview again. What has moved is in it.",
}
_TITLES: Mapping[int, str] = {
    400: "This cannot be used",
    401: "Please sign in",
    403: "You may not do this",
    404: "There is no such thing",
    409: "This was refused",
    503: "Try again in a moment",
}


def _again() -> str | None:
    """The page of the form that was refused, which looks again, and keeps the reason that was typed."""
    path = request.script_root + request.path
    if request.method != "POST":
        # The same page without the conditions that cannot be used.
        return path if request.args else None
    reason = request.form.get("reason", "").strip()
    return f"{path}?{urlencode({'reason': reason})}" if reason else path


def _error_page(error: Exception) -> Response:
    told = explain(error)
    g.failure_code = told.code
    text, status = page(
        "error",
        told.http_status,
        title=_TITLES.get(told.http_status, "Something went wrong"),
        message=told.message,
        code=told.code,
        hint=_HINTS.get(told.code, (told.hint or "").replace(WHEN_TO_RETRY, "")),
        again=g.get("console_again") or _again(),
    )
    response = make_response(text, status)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    for name, value in told.headers:
        response.headers[name] = value
    return response


def register_error_pages(console: Blueprint) -> None:
    """Answer every error of the console with a page."""
    console.register_error_handler(HTTPException, _error_page)
    console.register_error_handler(Exception, _error_page)
