"""Which web pages may call the API from a browser: cross-origin resource sharing."""

from __future__ import annotations

import re
from collections.abc import Collection

from flask import Flask, Response, request
from flask_cors import CORS

from pyapi.api.replica import POSITION_HEADER

__all__ = ["ANY_ORIGIN", "is_allowed", "register_browsers"]

ANY_ORIGIN = "*"
_REQUEST_HEADERS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "X-Reason",
    "X-Request-Id",
    POSITION_HEADER,
)
_REPLY_HEADERS = ("ETag", "Retry-After", "WWW-Authenticate", "X-Request-Id", POSITION_HEADER)


def is_allowed(origin: str | None, origins: Collection[str]) -> bool:
    """Whether pages of this origin may call the API."""
    return origin is not None and (origin in origins or ANY_ORIGIN in origins)


def register_browsers(app: Flask, origins: Collection[str]) -> None:
    """Let pages of these origins read every reply, errors too. Pages of others get no header that would let them.

    To be registered before the authentication: a preflight has no token. It is answered alike on every path, so that
    it does not tell which paths exist. Cookies are never asked for, because tokens travel in a header.
    """
    if not origins:
        return
    methods = sorted({method for rule in app.url_map.iter_rules() for method in rule.methods or ()} | {"OPTIONS"})
    CORS(
        app,
        # As patterns: flask-cors takes a text with brackets, such as an IPv6 address, for a pattern by itself.
        origins=[ANY_ORIGIN if origin == ANY_ORIGIN else re.compile(re.escape(origin) + r"\Z") for origin in origins],
        methods=methods,
        allow_headers=list(_REQUEST_HEADERS),
        expose_headers=list(_REPLY_HEADERS),
        supports_credentials=False,
        # Only a request that has an origin gets the headers.
        always_send=False,
    )

    @app.before_request
    def answer_preflight() -> Response | None:
        is_preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        return Response() if is_preflight and is_allowed(request.headers.get("Origin"), origins) else None

    @app.after_request
    def vary_by_origin(response: Response) -> Response:
        # Also where there was no origin: a cache must not give that reply to a page.
        response.vary.add("Origin")
        return response
