"""Answers that cost the database much, such as counts of all reports: asked seldom, and shown with their time.

They are kept in this process only, and each process asks for itself. An answer tells of all reports, so a page first
asks the database whether its caller may read them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import current_app

from pyapi import database
from pyapi.api.requests import caller
from pyapi.console.pages import require

__all__ = ["REMEMBERED", "Answer", "Remembered", "remembered", "remembered_rows"]

logger = logging.getLogger(__name__)

# The key of the Remembered in app.extensions.
REMEMBERED = "pgreprise.console.remembered"
# An answer is good for so long, or for ten times as long as it took: at most a tenth of the time is spent on it.
_SHORTEST_SECONDS = 10
_TIMES_ITS_COST = 10
# How long a page waits for an answer before it is shown without.
_WAIT_SECONDS = 2


@dataclass(frozen=True)
class Answer:
    """What was found, as of when; ``until`` is when it is asked anew, by the process's own clock."""

    value: Any
    at: datetime
    until: float


class Remembered:
    """Keeps the last answer to each question."""

    def __init__(self, *, wait_seconds: float = _WAIT_SECONDS) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, Answer] = {}
        self._asked: dict[str, threading.Event] = {}
        self._errors: dict[str, Exception] = {}
        self._wait_seconds = wait_seconds

    def get(self, question: str, ask: Callable[[], Any], *, anew: bool = False) -> Answer | None:
        """The answer to a question, which ``ask`` finds in a thread of its own; None where that takes long.

        An old answer is returned while a new one is on its way, but where it is wanted ``anew``. Raises the error of
        ``ask`` where there is no answer at all.
        """
        with self._lock:
            known = self._answers.get(question)
            is_good = known is not None and time.monotonic() < known.until and not anew
            asked = self._asked.get(question)
            if not is_good and asked is None:
                asked = self._asked[question] = threading.Event()
                # A daemon, for which the end of the process does not wait.
                threading.Thread(target=self._find, args=(question, ask, asked), name=question, daemon=True).start()
        if asked is not None and (known is None or anew):
            asked.wait(self._wait_seconds)
        with self._lock:
            if question in self._errors and question not in self._answers:
                raise self._errors[question]
            return self._answers.get(question)

    def _find(self, question: str, ask: Callable[[], Any], asked: threading.Event) -> None:
        began = time.monotonic()
        try:
            value = ask()
        except Exception as error:
            # The next page asks again.
            logger.warning("%s could not be found out: %s", question, error)
            with self._lock:
                self._errors[question] = error
        else:
            took = time.monotonic() - began
            until = time.monotonic() + max(_SHORTEST_SECONDS, _TIMES_ITS_COST * took)
            with self._lock:
                self._errors.pop(question, None)
                self._answers[question] = Answer(value, datetime.now(UTC), until)
        finally:
            with self._lock:
                del self._asked[question]
            asked.set()


def remembered(question: str, ask: Callable[[], Any], *, scope: str = "read", anew: bool = False) -> Answer | None:
    """What this process remembers, for a caller who holds a scope. Raises Forbidden for others."""
    require(scope)
    kept: Remembered = current_app.extensions[REMEMBERED]
    return kept.get(question, ask, anew=anew)


def remembered_rows(routine: str, *, anew: bool = False, **arguments: Any) -> Answer | None:
    """The rows of a routine of the schema public that reads much, as remembered."""
    engine, claims = caller()

    def ask() -> list[dict[str, Any]]:
        return database.call(engine, f"public.{routine}", claims=claims, is_reading=True, **arguments)

    return remembered(routine, ask, anew=anew)
