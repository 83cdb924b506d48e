"""Who uses the console, and forms that only the console's own pages can send.

The token of the API is kept in a cookie that no script can read and no other site can send. Nothing is kept in the
process, so every process of the API, and every machine, knows every operator.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

from flask import Response, current_app, g, redirect, render_template, request, url_for
from werkzeug.exceptions import BadRequest, Forbidden
from werkzeug.wrappers import Response as BaseResponse

from pyapi.api.auth import (
    LOCAL_OPERATOR,
    Authentication,
    TokenRefusedError,
    is_from_another_origin,
    require_local_operator,
)
from pyapi.api.paths import CONSOLE, peer
from pyapi.api.requests import act_as

__all__ = [
    "LONGEST_TOKEN",
    "SIGN_IN",
    "SignIn",
    "configured",
    "forget_token",
    "form_token",
    "keep_form_key",
    "keep_token",
    "let_in",
    "may_sign_out",
]

# The key of the SignIn in app.extensions.
SIGN_IN = "pgreprise.console.sign_in"
_TOKEN = "pgreprise_console"
_FORM = "pgreprise_form"
# Browsers keep 4,096 bytes of a cookie, its name and attributes included.
LONGEST_TOKEN = 3800
_READING = ("GET", "HEAD")
# What a browser says of a link that another site has.
_ELSEWHERE = ("cross-site", "same-site")
# Pages and files that need nobody to be signed in.
_OPEN = ("console.session.sign_in", "console.session.do_sign_in", "console.static")


@dataclass(frozen=True)
class SignIn:
    """How operators sign in.

    authentication: verifies tokens; None where everybody on this machine is the operator.
    user_header: the header in which a proxy names whom it has authenticated, None where there is none.
    user_claims: what those may do: the claims of a token, without sub.
    proxies: the networks from which that header is believed.
    """

    authentication: Authentication | None
    user_header: str | None = None
    user_claims: Mapping[str, Any] | None = None
    proxies: Sequence[IPv4Network | IPv6Network] = ()

    def claims_from_proxy(self) -> str | None:
        """The claims of whom the proxy has authenticated. Raises BadRequest for a header that names nobody."""
        if self.user_header is None or self.user_header not in request.headers:
            return None
        try:
            is_proxy = any(ip_address(peer()) in network for network in self.proxies)
        except ValueError:
            is_proxy = False
        if not is_proxy:
            return None
        try:
            name = request.headers[self.user_header].encode("latin-1").decode().strip()
        except UnicodeDecodeError:
            name = ""
        # Servers join two headers of one name: one of them is not the proxy's.
        if not name or "," in name or not name.isprintable():
            raise BadRequest(f"The header {self.user_header} of the proxy names nobody, or more than one.")
        return json.dumps({**(self.user_claims or {}), "sub": name})


def configured() -> SignIn:
    """How operators of this console sign in."""
    found: SignIn = current_app.extensions[SIGN_IN]
    return found


def _path() -> str:
    return f"{request.script_root}/{CONSOLE}"


def _set(response: BaseResponse, name: str, value: str, lifetime_seconds: int | None = None) -> None:
    response.set_cookie(
        name,
        value,
        max_age=lifetime_seconds,
        path=_path(),
        secure=request.is_secure,
        httponly=True,
        samesite="Strict",
    )


def keep_token(response: BaseResponse, token: str, lifetime_seconds: int) -> None:
    """Keep the token of whoever signs in. A form key that was in the browser before is none of theirs."""
    _set(response, _TOKEN, token, lifetime_seconds)
    g.console_form = secrets.token_urlsafe(24)


def forget_token(response: BaseResponse) -> None:
    """Sign out."""
    response.delete_cookie(_TOKEN, path=_path(), httponly=True, samesite="Strict", secure=request.is_secure)


# --- who is here -----------------------------------------------------------------------------


def let_in() -> BaseResponse | str | None:
    """Let a request act as whoever signed in, and ask others to sign in. Refuse forms of other sites."""
    sign_in = configured()
    if sign_in.authentication is None:
        require_local_operator()
        act_as(LOCAL_OPERATOR)
    elif (claims := sign_in.claims_from_proxy()) is not None:
        act_as(claims)
    elif request.endpoint not in _OPEN:
        token = request.cookies.get(_TOKEN)
        try:
            if not token and request.method in _READING and request.headers.get("Sec-Fetch-Site") in _ELSEWHERE:
                return _come_in()
            if not token:
                return _ask_to_sign_in()
            act_as(sign_in.authentication.verify(token))
            g.console_token = token
        except TokenRefusedError as refused:
            return _ask_to_sign_in(str(refused))
    if request.method not in _READING:
        _refuse_other_sites()
    return None


def may_sign_out() -> bool:
    """Whether the caller has signed in here, and not at a proxy."""
    return "console_token" in g


def _wanted() -> str:
    """The page to come back to. After a form it is the page that has the form, and looks again."""
    return request.full_path.rstrip("?") if request.method in _READING else request.path


def _come_in() -> str:
    """A page that leads on from here: a link in a mail or a chat brings no strict cookie along, a link of ours does."""
    return render_template("console/arriving.html", place=url_for("console.session.arrive", next=_wanted()))


def _ask_to_sign_in(reason: str | None = None) -> BaseResponse:
    place = url_for("console.session.sign_in", next=_wanted(), reason="expired" if reason is not None else None)
    response = redirect(place, 303)
    if reason is not None:
        forget_token(response)
    return response


# --- forms -----------------------------------------------------------------------------------


def form_token() -> str:
    """What a form of this page has to bring along. It belongs to this browser and to whoever signed in."""
    if "console_form" not in g:
        g.console_form = request.cookies.get(_FORM) or secrets.token_urlsafe(24)
    return _form_token(g.console_form)


def _form_token(key: str) -> str:
    return hmac.new(key.encode(), str(g.get("console_token", "")).encode(), "sha256").hexdigest()


def keep_form_key(response: Response) -> Response:
    """Let the browser keep what its forms are checked with."""
    if "console_form" in g and request.cookies.get(_FORM) != g.console_form:
        _set(response, _FORM, g.console_form)
    return response


def _refuse_other_sites() -> None:
    """Raise Forbidden for a form that no page of this console has sent."""
    is_foreign = request.headers.get("Sec-Fetch-Site") not in (None, "same-origin") or is_from_another_origin()
    key = request.cookies.get(_FORM)
    sent = request.form.get("form_token", "")
    if is_foreign or key is None or not hmac.compare_digest(_form_token(key).encode(), sent.encode()):
        raise Forbidden(
            "This form was not sent by a page of this console, or is from before you signed in. Nothing was done. "
            "Open the page again. Behind a proxy, let the proxy pass the header Host on."
        )
