"""A read replica: GETs go there, and whoever has written finds what was written.

After each write the position of the primary's log is noted for all worker processes, and is a header of the reply.
A GET is answered by the replica only when it has replayed the log to the highest position noted here, and to the one
that the request brings along in that header, which a client needs that wrote through another machine; the browser of an
operator brings it along in a cookie. In all other cases, and whenever the replica answers with an error, the primary is
asked. A router has no replica: what is written through it is in the logs of its servers.
"""

from __future__ import annotations

import logging
import multiprocessing
import threading
import time
from contextlib import suppress
from ctypes import c_int64
from typing import Any

from flask import Flask, Response, g, has_request_context, request
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from pyapi import database
from pyapi.api.paths import CONSOLE
from pyapi.schema.files import sql_text

__all__ = [
    "POSITION_COOKIE",
    "POSITION_HEADER",
    "REPLICA",
    "Replica",
    "WritePosition",
    "register_replica",
    "router_among",
]

logger = logging.getLogger(__name__)

# The key of the Replica in app.extensions; None where there is none.
REPLICA = "pgreprise.replica"
POSITION_HEADER = "X-Write-Position"
POSITION_COOKIE = "pgreprise_position"
# No replica that is used is behind for so long.
_COOKIE_SECONDS = 300
# More than there are worker processes at once.
_SLOTS = 128
# Of a write whose position could not be found out: no replica has come so far.
_UNKNOWN = 2**63 - 1
# How long a replica is left alone that could not be reached.
_AWAY_SECONDS = 5.0


class WritePosition:
    """The position of the log after the last write of any worker process. It is made before the processes fork."""

    def __init__(self) -> None:
        # Each process writes to a slot of its own, so that none waits for a lock that a killed one held.
        self._slots = multiprocessing.RawArray(c_int64, _SLOTS)
        self._slot = 0
        self._failures = 0
        self._lock = threading.Lock()

    def use_slot(self, number: int) -> None:
        """Write to the slot of this number, for a process that has it alone."""
        self._slot = number % _SLOTS

    @property
    def current(self) -> int:
        """The highest position of all processes."""
        highest: int = max(self._slots)
        return highest

    def note(self, primary: Engine) -> int | None:
        """Note where the log of the primary is, now that a write has ended. None where it cannot be found out."""
        failures = self._failures
        try:
            [row] = database.call(primary, "pgreprise.wal_position", is_reading=True)
        except (DBAPIError, NoConnectionFree):
            with self._lock:
                self._failures += 1
                self._slots[self._slot] = _UNKNOWN
            return None
        position: int = row["wal_position"]
        with self._lock:
            noted = self._slots[self._slot]
            # What was asked before another write failed does not tell of that write.
            if noted < position or (noted == _UNKNOWN and failures == self._failures):
                self._slots[self._slot] = position
        return position


def router_among(primary: Engine, replica: Engine) -> str | None:
    """Which of the two is a router, in words; None where neither is.

    Raises DBAPIError or TimeoutError of SQLAlchemy for a database that cannot be asked.
    """
    for name, engine in (("PGREPRISE_READ_URL", replica), ("DATABASE_URL", primary)):
        [row] = database.run_script(engine, sql_text("core/is_router"))
        if row["is_router"]:
            return f"{name} is a router, whose log does not tell what its servers have written."
    return None


class Replica:
    """The replica of a process."""

    def __init__(self, engine: Engine, position: WritePosition) -> None:
        self._engine = engine
        self._position = position
        self._away_until = 0.0
        self._is_usable: bool | None = None
        self._asking = threading.Lock()
        self._ask_again_at = 0.0
        self.reason: str | None = None

    def call(self, primary: Engine, routine: str, **arguments: Any) -> list[dict[str, Any]] | None:
        """The rows of a function, as ``pyapi.database.call`` returns them; None where the primary has to be asked."""
        if time.monotonic() < self._away_until:
            return None
        self._look(primary)
        if self._is_usable is False:
            return None
        wanted = max(self._position.current, _brought())
        if wanted == _UNKNOWN:
            return None
        try:
            rows = database.call(self._engine, routine, is_reading=True, not_before=wanted, **arguments)
        except database.BehindError:
            return None
        except (DBAPIError, NoConnectionFree) as error:
            # Also what the routine refuses: the replica may not know of the row yet.
            if not isinstance(error, DBAPIError) or database.sqlstate(error) is None:
                self._away_until = time.monotonic() + _AWAY_SECONDS
                self.reason = str(error.orig if isinstance(error, DBAPIError) else error).splitlines()[0]
                logger.warning("The read replica cannot be used: %s", self.reason)
            return None
        self.reason = None
        return rows

    def _look(self, primary: Engine) -> None:
        """Find out whether there is a router where none may be. Asked again until both databases have answered."""
        if self._is_usable is not None or time.monotonic() < self._ask_again_at:
            return
        # All wait for the first answer. Later the others use the replica while one asks: the primary may be away.
        if not self._asking.acquire(blocking=self._ask_again_at == 0.0):
            return
        try:
            if self._is_usable is None and time.monotonic() >= self._ask_again_at:
                with suppress(DBAPIError, NoConnectionFree):
                    self.reason = router_among(primary, self._engine)
                    self._is_usable = self.reason is None
                self._ask_again_at = time.monotonic() + _AWAY_SECONDS
        finally:
            self._asking.release()

    def note_write(self, primary: Engine) -> None:
        """Note that the request has written, or may have; or a thread that a request has left behind."""
        position = self._position.note(primary)
        if has_request_context():
            g.write_position = position


def _brought() -> int:
    """The position that the request brings along; _UNKNOWN where it is none."""
    found = [request.headers.get(POSITION_HEADER, "0"), request.cookies.get(POSITION_COOKIE, "0")]
    if not all(text.isascii() and text.isdigit() and len(text) < len(str(_UNKNOWN)) for text in found):
        return _UNKNOWN
    return max(map(int, found))


def _tell_position(response: Response) -> Response:
    if "write_position" not in g:
        return response
    position: int | None = g.write_position
    if position is not None:
        response.headers[POSITION_HEADER] = str(position)
    if (request.blueprint or "").partition(".")[0] == CONSOLE:
        response.set_cookie(
            POSITION_COOKIE,
            str(_UNKNOWN if position is None else position),
            max_age=_COOKIE_SECONDS,
            path=f"{request.script_root}/{CONSOLE}",
            secure=request.is_secure,
            httponly=True,
            samesite="Strict",
        )
    return response


def register_replica(app: Flask, replica: Replica | None) -> None:
    """Let the GETs of the application go to the replica, where there is one."""
    app.extensions[REPLICA] = replica
    if replica is not None:
        app.after_request(_tell_position)
