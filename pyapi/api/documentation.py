"""Routes of the API's own documentation: its OpenAPI document, and the same content as a page for people."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, render_template, request

from pyapi.api import openapi
from pyapi.api.openapi import HTML, describes
from pyapi.api.requests import Reply

__all__ = ["documentation"]

documentation = Blueprint("documentation", __name__)

# The key of the document in app.extensions.
_DOCUMENT = "pgreprise.document"
# The page is complete, so the browser must not load or run anything else.
_NOTHING_ELSE = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def _document() -> dict[str, Any]:
    """The document, for whoever reaches the API below the prefix of this request."""
    # Made at the first request, when all routes are registered, and then kept.
    if _DOCUMENT not in current_app.extensions:
        current_app.extensions[_DOCUMENT] = openapi.document(current_app)
    document: dict[str, Any] = current_app.extensions[_DOCUMENT]
    return {**document, "servers": [{"url": request.script_root or "/"}]}


@documentation.get("/openapi.json")
@describes(dict[str, Any], is_enveloped=False, asks_database=False)
def get_document() -> Reply:
    """This document."""
    return jsonify(_document()), HTTPStatus.OK


@documentation.get("/docs")
@describes(HTML, asks_database=False)
def get_page() -> Reply:
    """This document as a page. The page loads nothing else, so it works offline."""
    page = Response(render_template("docs.html", document=_document()), mimetype=HTML)
    page.headers["Content-Security-Policy"] = _NOTHING_ELSE
    return page, HTTPStatus.OK
