"""Gunicorn's worker with threads, changed so that slow clients hold none: a request gets a thread once it has arrived.
And so that it ends whenever it is told to.

Gunicorn gives a connection to a thread as soon as its first byte is there, and that thread then waits for the rest
for ever; as many slow clients as there are threads would stop the API for everybody.
"""

from __future__ import annotations

import re
import socket
import time
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from types import FrameType
from typing import Any

from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

__all__ = ["Worker"]

# By when a request's head, and a body of up to _AWAITED_BODY_BYTES, has to be here.
_HEAD_SECONDS = 10
# By when the rest of a longer body has to be; the thread that waits for it is held as long.
_BODY_SECONDS = 30
_AWAITED_BODY_BYTES = 64 * 1024
_LONGEST_HEAD_BYTES = 64 * 1024
_CHUNK_BYTES = 64 * 1024

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n", re.IGNORECASE)
# Who sends this waits for an answer before the body.
_EXPECTS = re.compile(rb"\r\nexpect:", re.IGNORECASE)

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def _has_arrived(received: bytearray) -> bool:
    """Whether a thread has no more than a long body to wait for."""
    end = received.find(_END_OF_HEAD)
    if end < 0:
        return False
    head = bytes(received[: end + 2])
    length = _LENGTH.search(head)
    if length is None or _EXPECTS.search(head):
        return True
    body = len(received) - end - len(_END_OF_HEAD)
    return body >= min(int(length[1]), _AWAITED_BODY_BYTES)


class Worker(ThreadWorker):  # type: ignore[misc]
    """Waits for requests in its event loop, and cuts off who takes too long."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Connections whose request has not arrived yet: by when it has to, and what is here of it.
        self._arriving: dict[TConn, tuple[float, bytearray]] = {}
        # Connections whose request a thread works on, and by when the rest of its body has to be here.
        self._in_hand: dict[TConn, float] = {}

    def enqueue_req(self, conn: TConn) -> None:
        """Wait for the connection's next request, in place of giving the connection to a thread."""
        # Read ahead, on a connection that has been used before.
        received = bytearray(conn.parser.unreader.take_buffered() if conn.initialized else b"")
        conn.sock.setblocking(False)
        self._arriving[conn] = (time.monotonic() + _HEAD_SECONDS, received)
        self.poller.register(conn.sock, EVENT_READ, partial(self._read_on, conn))
        if _has_arrived(received):
            self._hand_over(conn)
        else:
            # Most often it is here already.
            self._read_on(conn, conn.sock)

    def _read_on(self, conn: TConn, client: socket.socket) -> None:
        _, received = self._arriving[conn]
        try:
            chunk = client.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        received += chunk
        if not chunk:
            self._cut_off(conn)
        elif _has_arrived(received):
            self._hand_over(conn)
        elif _END_OF_HEAD not in received and len(received) > _LONGEST_HEAD_BYTES:
            self._cut_off(conn, _TOO_LARGE)

    def _hand_over(self, conn: TConn) -> None:
        _, received = self._arriving.pop(conn)
        self.poller.unregister(conn.sock)
        self._in_hand[conn] = time.monotonic() + _BODY_SECONDS
        conn.init()
        conn.parser.unreader.unread(bytes(received))
        super().enqueue_req(conn)

    def _cut_off(self, conn: TConn, answer: bytes = b"") -> None:
        del self._arriving[conn]
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        with suppress(OSError):
            conn.sock.send(answer)
        conn.close()

    def finish_request(self, conn: TConn, fs: Any) -> None:
        """As gunicorn does; the connection is in nobody's hand any more."""
        self._in_hand.pop(conn, None)
        super().finish_request(conn, fs)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """End at once, without what gunicorn's gthread does first: close the thread pool.

        That takes a lock which this very thread may hold, where the signal came in the middle of such a closing
        (Ctrl-C reaches a worker twice, by the terminal and by its parent) or as a request was handed over.
        The interpreter closes the pool as it ends.
        """
        super(ThreadWorker, self).handle_quit(sig, frame)

    def murder_pending(self) -> None:
        """What gunicorn calls each second: cut off who takes too long."""
        super().murder_pending()
        now = time.monotonic()
        # Who has sent nothing yet when the worker is to stop is not waited for much longer.
        latest = now if self.alive else now + _HEAD_SECONDS - STOP_KEEPALIVE_LINGER
        for conn in [conn for conn, (deadline, _) in self._arriving.items() if deadline < latest]:
            self._cut_off(conn)
        for conn in [conn for conn, deadline in self._in_hand.items() if deadline < now]:
            del self._in_hand[conn]
            with suppress(OSError):
                # A thread that waits for more gets the end of it; one that is at work answers all the same.
                conn.sock.shutdown(socket.SHUT_RD)
