"""Long work, done chunk by chunk. Each chunk is one call and one transaction."""

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
# Another transaction holds a row. The chunk was rolled back, so it can be tried again.
_RETRIED = {"55P03", "40P01", "40001"}
_PAUSES_SECONDS = (0.5, 1, 2, 4)


def do_chunk(engine: Engine, routine: str, **arguments: Any) -> dict[str, Any]:
    """Call a function that does one chunk, and return the JSON object that it returns.

    After a lock timeout, a deadlock or a serialization failure the call is repeated a few times.
    Raises sqlalchemy.exc.DBAPIError for any other error, and for the last of these.
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
    """Let Ctrl-C stop the work after the current chunk. A second Ctrl-C ends it at once.

    Yields a function that returns whether to stop.
    """
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            signal.default_int_handler(number, frame)
        asked = True
        progress.console.print("Stopping after the current chunk. Ctrl-C again stops at once.", highlight=False)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)
