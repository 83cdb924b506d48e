"""Long work that a click starts: chunk after chunk in a thread of this process, whatever becomes of the page.

Nothing is stored about it. What is lost with the process stays in the database as an open batch, which a later click
goes on with.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

from flask import current_app
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import ServiceUnavailable

from pyapi.batches import BATCH_ENDED
from pyapi.database import sqlstate

__all__ = ["MOST_AT_ONCE", "RUNNER", "Runner", "runner"]

logger = logging.getLogger(__name__)

# The key of the Runner in app.extensions.
RUNNER = "pgreprise.console.runner"
# Each holds a connection to the database while a chunk is at work.
MOST_AT_ONCE = 3
_RETRY_AFTER_SECONDS = 60

Work = tuple[str, int]


class Runner:
    """Does work in steps, each work once at a time and few of them at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_work: dict[Work, threading.Thread | None] = {}

    def start(self, work: Work, steps: Iterator[object]) -> None:
        """Do the first step now, so that the caller hears why it is refused, and the others in a thread.

        ``work`` names it in the log. Nothing is started where this process does the same work already.
        Raises ServiceUnavailable where it does too much else, and what the first step raises.
        """
        with self._lock:
            if work in self._at_work:
                return
            if len(self._at_work) >= MOST_AT_ONCE:
                raise ServiceUnavailable(
                    f"{MOST_AT_ONCE} batches are at work in this process, which is as many as it may have. "
                    "Nothing was started.",
                    retry_after=_RETRY_AFTER_SECONDS,
                )
            self._at_work[work] = None
        try:
            next(steps, None)
            # A daemon, for which the end of the process does not wait.
            thread = threading.Thread(
                target=self._go_on, args=(work, steps), name=" ".join(map(str, work)), daemon=True
            )
            self._at_work[work] = thread
            thread.start()
        except BaseException:
            self._forget(work)
            raise

    def wait(self) -> None:
        """Wait until all work is done."""
        with self._lock:
            threads = [thread for thread in self._at_work.values() if thread is not None]
        for thread in threads:
            thread.join()

    def _go_on(self, work: Work, steps: Iterator[object]) -> None:
        try:
            for _ in steps:
                pass
        except Exception as error:
            # Whoever cancelled the batch knows that it ends.
            if not (isinstance(error, DBAPIError) and sqlstate(error) == BATCH_ENDED):
                logger.exception("%s of batch %s ended before its end", *work)
        finally:
            self._forget(work)

    def _forget(self, work: Work) -> None:
        with self._lock:
            del self._at_work[work]


def runner() -> Runner:
    """The Runner of this application."""
    found: Runner = current_app.extensions[RUNNER]
    return found
