"""Paths are taken as they are, in one spelling each, so that a proxy that guards a path guards what it leads to.

And where the paths of this API begin: behind a prefix, and behind proxies that are trusted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING

from flask import Flask, request
from werkzeug.exceptions import NotFound
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter, UUIDConverter

from pyapi.settings import PREFIX

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["CONSOLE", "NUMBER", "UUID_TEXT", "peer", "refuse_other_spellings", "register_paths", "register_prefix"]

# The name of the console's blueprint, and the folder of its paths. They are pages, and no part of the API's document.
CONSOLE = "console"
# A number in its one spelling: no zeros before it, no sign, no digits of other scripts.
NUMBER = r"(?:0|[1-9][0-9]*)"
# A UUID in its one spelling, as PostgreSQL writes it.
UUID_TEXT = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

# What changes the path when it is decoded: a slash, and letters, digits and marks that need no encoding.
_NEEDLESSLY_ENCODED = re.compile(r"%(?:2[def]|3[0-9]|[46][1-9a-f]|[57][0-9a]|5[cf]|7e)", re.IGNORECASE)
_OUTSIDE = "pgreprise.is_outside"
# Where ProxyFix keeps what the server itself said.
_BEFORE_PROXIES = "werkzeug.proxy_fix.orig"


class _Number(IntegerConverter):
    """``<int:...>`` of a rule."""

    regex = NUMBER


class _Uuid(UUIDConverter):
    """``<uuid:...>`` of a rule."""

    regex = UUID_TEXT


def peer() -> str:
    """The address of whoever is connected: the nearest proxy, where there are any. Empty over a socket without one."""
    environ = request.environ
    return str(environ.get(_BEFORE_PROXIES, environ).get("REMOTE_ADDR") or "")


def register_paths(app: Flask) -> None:
    """Let each path have one spelling. To be called before the routes are registered."""
    # Flask's redirects would not have the envelope.
    app.url_map.merge_slashes = False
    app.url_map.converters["int"] = _Number
    app.url_map.converters["uuid"] = _Uuid


def refuse_other_spellings() -> None:
    """Raise NotFound for a path that werkzeug would take for another one, and for one that is not below the prefix."""
    environ = request.environ
    sent = environ.get("RAW_URI", "")
    if _NEEDLESSLY_ENCODED.search(sent.partition("?")[0]):
        raise NotFound("There is no path with an encoded slash, letter or digit. Write it as it is.")
    path = environ.get("PATH_INFO", "")
    # Werkzeug leaves out slashes at the beginning, or adds one.
    if "#" in sent or "//" in path or not path.startswith("/") or environ.get(_OUTSIDE):
        raise NotFound


def _address(text: str) -> str | None:
    """The address of a client as a proxy writes it: also with a port. None where it is no address."""
    found = re.fullmatch(r"\[([0-9a-fA-F:.]+)\](?::[0-9]+)?|([0-9.]+):[0-9]+", text)
    try:
        return str(ip_address((found[1] or found[2]) if found else text))
    except ValueError:
        return None


class _Mounted:
    """The application below the prefix of the server, and below that of the proxy, which has taken it off the path."""

    def __init__(self, app: WSGIApplication, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if from_server := environ.get(_BEFORE_PROXIES):
            environ["REMOTE_ADDR"] = _address(environ["REMOTE_ADDR"]) or from_server["REMOTE_ADDR"]
            if environ["wsgi.url_scheme"] not in ("http", "https"):
                environ["wsgi.url_scheme"] = from_server["wsgi.url_scheme"]
        outer = environ.get("SCRIPT_NAME", "").rstrip("/")
        environ["SCRIPT_NAME"] = (outer if PREFIX.fullmatch(outer) else "") + self._prefix
        # The path of `*` and of what is no path is empty.
        path = environ.get("PATH_INFO", "")
        if path.startswith(f"{self._prefix}/"):
            environ["PATH_INFO"] = path.removeprefix(self._prefix)
        elif self._prefix:
            environ[_OUTSIDE] = True
        return self._app(environ, start_response)


def register_prefix(app: Flask, prefix: str, proxies: int) -> None:
    """Serve below a prefix, and believe what so many proxies say of the client, its scheme and their own prefix.

    Of a header X-Forwarded-... the proxies nearest to the API are believed. Without proxies none is read.
    """
    app.wsgi_app = _Mounted(app.wsgi_app, prefix)  # type: ignore[method-assign]
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_prefix=proxies)  # type: ignore[method-assign]
