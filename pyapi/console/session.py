"""Signing in and out."""

from __future__ import annotations

import json
import time
from urllib.parse import unquote

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from pyapi.api.auth import TokenRefusedError
from pyapi.console.pages import Page, page
from pyapi.console.signing import LONGEST_TOKEN, configured, forget_token, keep_token

__all__ = ["session"]

session = Blueprint("session", __name__)


def _next() -> str:
    """Where to go after signing in: a page of this console, whatever the query says."""
    wanted = request.values.get("next", "")
    start = url_for("console.overview.show")
    path = wanted.partition("?")[0].split("/")
    # A browser takes a backslash for a slash, drops line breaks, and goes up at two dots, also encoded ones.
    is_ours = (
        path[:2] == ["", "console"]
        and wanted.isprintable()
        and not any(part in wanted for part in ("\\", "//", "#"))
        and not any(unquote(part) in (".", "..") for part in path)
    )
    return f"{request.script_root}{wanted}" if is_ours else start


@session.get("/sign-in")
def sign_in() -> Page | BaseResponse:
    """The page that takes a token."""
    if configured().authentication is None:
        return redirect(url_for("console.overview.show"), 303)
    return page("sign_in", is_expired=request.args.get("reason") == "expired", next=request.args.get("next", ""))


@session.post("/sign-in")
def do_sign_in() -> Page | BaseResponse:
    """Keep the token in a cookie, as long as it is valid."""
    authentication = configured().authentication
    if authentication is None:
        return redirect(url_for("console.overview.show"), 303)
    token = request.form.get("token", "").strip().removeprefix("Bearer ").strip()
    refusal = None
    if not token:
        refusal = "Give a token."
    elif len(token) > LONGEST_TOKEN:
        refusal = f"The token has {len(token)} characters. A browser keeps {LONGEST_TOKEN} of it at most."
    else:
        try:
            claims = json.loads(authentication.verify(token))
        except TokenRefusedError as refused:
            refusal = str(refused)
    if refusal is not None:
        return page("sign_in", 401, refusal=refusal, next=request.form.get("next", ""))
    response = redirect(_next(), 303)
    keep_token(response, token, max(1, int(claims["exp"] - time.time())))
    return response


@session.get("/arrive")
def arrive() -> BaseResponse:
    """Go on to the page that a link of another site has named, now with the cookie."""
    return redirect(_next(), 303)


@session.get("/sign-out")
def to_the_overview() -> BaseResponse:
    """Where one comes to who signed out when the token was over, and then in again."""
    return redirect(url_for("console.overview.show"), 303)


@session.post("/sign-out")
def sign_out() -> BaseResponse:
    """Forget the token."""
    response = redirect(url_for("console.session.sign_in"), 303)
    forget_token(response)
    return response
