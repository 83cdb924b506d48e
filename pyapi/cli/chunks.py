"""Long work that Ctrl-C stops after the current chunk."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rich.progress import Progress

__all__ = ["STOPPED", "stoppable"]

# The exit code of a command that Ctrl-C stopped.
STOPPED = 130


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
