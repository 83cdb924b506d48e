"""What keeps one client from holding up the others of its process, which gevent serves in turn.

gevent passes to the next client where one has to be waited for. A client that sends faster than it is read is
never waited for, and gunicorn waits for a body and for the reader of a reply without end.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import gevent
from gevent import Timeout
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge, RequestTimeout

from pyapi.api.app import LARGEST_BODY_BYTES

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["in_turn"]

# By when a body has to be here, and by when a reply has to be taken.
_BODY_SECONDS = 30
_REPLY_SECONDS = 120
_TURN_BYTES = 64 * 1024
# Chunks may be as small as a byte, and each is a step of the server's parser, so the size of a turn follows its time.
_LEAST_TURN_BYTES = 256
_SHORT_TURN_SECONDS, _LONG_TURN_SECONDS = 0.001, 0.003


class _Body:
    """The body of a request, read in turn with those of others."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        self._stream = environ["wsgi.input"]
        # None where it comes in chunks.
        self._left = None if "HTTP_TRANSFER_ENCODING" in environ else int(environ.get("CONTENT_LENGTH") or 0)
        self._deadline: float | None = None
        self._until_turn = 0
        # How much of it is read in a turn where it comes in chunks.
        self._turn = _LEAST_TURN_BYTES
        # What has come of it.
        self._taken = 0

    @property
    def is_long(self) -> bool:
        """Whether what nobody has read yet may be long."""
        return self._left is None or self._left > _TURN_BYTES

    def read(self, size: int = -1) -> bytes:
        """The next bytes. Raises RequestTimeout when the body takes longer than _BODY_SECONDS."""
        now = time.monotonic()
        self._deadline = self._deadline or now + _BODY_SECONDS
        too_slow = RequestTimeout(f"The body did not arrive within {_BODY_SECONDS} seconds.")
        if self._left is None:
            size = self._turn if size < 0 else min(size, self._turn)
            self._until_turn = 0
        with Timeout(max(0, self._deadline - now), too_slow):
            if self._until_turn <= 0:
                self._until_turn = _TURN_BYTES
                gevent.sleep(0)
            try:
                began = time.perf_counter()
                data: bytes = self._stream.read(size)
                took = time.perf_counter() - began
                self._taken += len(data)
                # Whoever reads stops at the limit, and would take what came until then for all of it.
                is_too_long = self._left is None and self._taken >= LARGEST_BODY_BYTES and self._stream.read(1)
            except HTTPException:
                raise
            except Exception as error:
                # What the server says of a client that is gone, and of chunks that are none.
                raise BadRequest("The body broke off, or its chunks cannot be read.") from error
        if is_too_long:
            raise RequestEntityTooLarge
        self._until_turn -= len(data)
        if self._left is None:
            if took < _SHORT_TURN_SECONDS:
                self._turn = min(2 * self._turn, _TURN_BYTES)
            elif took > _LONG_TURN_SECONDS:
                self._turn = max(self._turn // 2, _LEAST_TURN_BYTES)
            if not data:
                self._left = 0
            return data
        self._left -= len(data)
        if self._left > 0 and (not data or size < 0):
            raise BadRequest(f"The body broke off {self._left} bytes before its end.")
        return data


class _Reply:
    """A reply that has to be taken in time."""

    def __init__(self, parts: Iterable[bytes], body: _Body) -> None:
        self._parts = parts
        self._body = body
        # An end that gunicorn takes for the client's own.
        self._timeout = Timeout.start_new(_REPLY_SECONDS, ConnectionResetError(errno.ECONNRESET, "nobody reads"))

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._parts)

    def close(self) -> None:
        """End the reply, and with it the connection where gunicorn would read the rest of a long body to the end."""
        self._timeout.close()
        close: Callable[[], Any] | None = getattr(self._parts, "close", None)
        if close is not None:
            close()
        if self._body.is_long:
            raise ConnectionResetError(errno.ECONNRESET, "the rest of the body is not read")


def in_turn(application: WSGIApplication) -> WSGIApplication:
    """The application for a server that gevent serves."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # A client may send its next request before the reply to the last one.
        gevent.sleep(0)
        body = environ["wsgi.input"] = _Body(environ)
        return _Reply(application(environ, start_response), body)

    return answer
