"""Replies are compressed for clients that accept gzip: an output is a quarter as long then.

Nothing secret can be guessed from the length of a reply (BREACH): whoever makes a browser send requests cannot make it
send the token, which travels in a header and never in a cookie. The pages of the console, which have cookies, are not
compressed.
"""

from __future__ import annotations

from http import HTTPStatus

from flask import Flask, Response, request
from isal import isal_zlib

from pyapi.api.paths import CONSOLE

__all__ = ["SHORTEST_BYTES", "register_compression"]

# What is shorter is one packet of the network with its headers, compressed or not.
SHORTEST_BYTES = 1400
# The gzip format, of zlib's largest window.
_GZIP = 16 + 15
# The levels differ little in size, and this one takes least time.
_LEVEL = 1


def _accepts_gzip() -> bool:
    if "HTTP_ACCEPT_ENCODING" not in request.environ:
        return False
    accepted = request.accept_encodings
    quality = accepted.quality("gzip")
    return quality > 0 and quality >= dict(accepted).get("identity", 0)


def _compress(response: Response) -> Response:
    is_json = response.mimetype == "application/json" and CONSOLE not in request.blueprints
    is_long = (response.content_length or 0) >= SHORTEST_BYTES and not response.is_streamed
    is_same = response.status_code == HTTPStatus.NOT_MODIFIED
    if not is_json or not (is_long or is_same):
        return response
    # Also where it is not compressed: a cache must not give that reply to everybody.
    response.headers.add("Vary", "Accept-Encoding")
    if is_long and _accepts_gzip():
        packer = isal_zlib.compressobj(_LEVEL, wbits=_GZIP)
        response.set_data(packer.compress(response.get_data()) + packer.flush())
        response.headers["Content-Encoding"] = "gzip"
    return response


def register_compression(app: Flask) -> None:
    """Compress the replies of the application that are JSON and longer than SHORTEST_BYTES."""
    app.after_request(_compress)
