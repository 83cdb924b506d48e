"""Work that takes long, chunk by chunk: each chunk is one call and one transaction."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from rich.progress import Progress
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pyapi.database import call, sqlstate

__all__ = ["STOPPED", "do_chunk", "stoppable"]

# The exit code of a command that Ctrl-C stopped.
STOPPED = 130
# Somebody else holds a row; nothing of the chunk has happened. Each wait for a lock is bounded.
_RETRIED = {"55P03", "40P01", "40001"}
_PAUSES_SECONDS = (0.5, 1, 2, 4)


def do_chunk(engine: Engine, routine: str, **arguments: Any) -> dict[str, Any]:
    """Do one chunk by a function that returns a JSON object, and return that.

    Raises sqlalchemy.exc.DBAPIError with what the database said; a lock that is not free, a deadlock
    and a serialization failure are tried again a few times first.
    """
    for pause in (*_PAUSES_SECONDS, None):
        try:
            [row] = call(engine, routine, **arguments)
            [chunk] = row.values()
            return dict(chunk)
        except DBAPIError as error:
            if sqlstate(error) not in _RETRIED or pause is None:
                raise
            time.sleep(pause)
    raise AssertionError("unreachable: the last attempt returns or raises")


@contextmanager
def stoppable(progress: Progress) -> Iterator[Callable[[], bool]]:
    """Ctrl-C lets the chunk under way finish; a second one ends it at once.

    Gives a function that tells whether to stop.
    """
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            signal.default_int_handler(number, frame)
        asked = True
        progress.console.print("Stopping after the chunk under way; Ctrl-C again ends it at once.", highlight=False)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)
