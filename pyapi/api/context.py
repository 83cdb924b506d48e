"""What is known of a request besides what it asks for: its id, where it comes from, and why it was sent.

The id is in the reply, in the log and with the acts that the request did.
"""

from __future__ import annotations

import re
import time
import uuid

from flask import Flask, Response, g, request

from pyapi.database import Request

__all__ = [
    "REASON_HEADER",
    "REQUEST_ID_HEADER",
    "reason",
    "register_context",
    "request_context",
    "request_id",
    "request_seconds",
    "route",
]

REQUEST_ID_HEADER = "X-Request-Id"
REASON_HEADER = "X-Reason"
# What cannot forge a line of a log or a header. Others' ids are UUIDs, traces, or names with numbers.
_USABLE = re.compile(r"[A-Za-z0-9._~+/=:@-]{1,200}")


def request_id() -> str:
    """The id of the request: that of its header X-Request-Id where it can be used, else a new one."""
    if "request_id" not in g:
        sent = request.headers.get(REQUEST_ID_HEADER, "")
        g.request_id = sent if _USABLE.fullmatch(sent) else str(uuid.uuid4())
    return str(g.request_id)


def request_context() -> Request:
    """What is recorded with the acts of the request. The address is None where it came over a socket without one."""
    return Request(request_id(), request.remote_addr or None)


def reason(given: str | None = None) -> str | None:
    """Why the request was sent: the value of its body, or of its header X-Reason, which is UTF-8 or Latin-1."""
    header = request.headers.get(REASON_HEADER)
    if given is not None or header is None:
        return given
    try:
        # WSGI gives the bytes of a header as Latin-1.
        return header.encode("latin-1").decode()
    except UnicodeDecodeError:
        return header


def route() -> str | None:
    """The rule of the request's path, which has no ids; None where the path is none of ours."""
    return request.url_rule.rule if request.url_rule is not None else None


def request_seconds() -> float:
    """How long the request has taken so far."""
    return float(time.perf_counter() - g.began_at)


def register_context(app: Flask) -> None:
    """Name the request in every reply, and note when it began. To be registered before what asks for that."""

    @app.before_request
    def begin() -> None:
        g.began_at = time.perf_counter()

    @app.after_request
    def name_the_request(response: Response) -> Response:
        response.headers[REQUEST_ID_HEADER] = request_id()
        return response
