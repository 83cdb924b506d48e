"""Answers that cost the database much, such as counts of all reports: asked seldom, and shown with their time.

They are kept in this process only, and each process asks for itself. An answer tells of all reports, so a page first
asks the database whether its caller may read them.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import current_app, g

from pyapi import database
from pyapi.api.requests import caller
from pyapi.console.pages import require

__all__ = ["REMEMBERED", "Answer", "First", "Remembered", "remembered", "remembered_first", "remembered_rows"]

logger = logging.getLogger(__name__)

# The key of the Remembered in app.extensions.
REMEMBERED = "pgreprise.console.remembered"
# The claims of a thread that asks for all who may read: whoever happened to be first has none of it.
_READER = json.dumps({"sub": "console", "scope": "reports:read"})
# An answer is good for so long, or for ten times as long as it took: at most a tenth of the time is spent on it.
_SHORTEST_SECONDS = 10
_TIMES_ITS_COST = 10
# What fails so soon is asked again by the next page.
_BRIEF_SECONDS = 0.2
# How long a page waits for all its answers together before it is shown without them.
_WAIT_SECONDS = 2.0
# How long it waits for each even then: most answers take less.
_LEAST_WAIT_SECONDS = 0.2
# Each question that is being answered holds a connection to the database, which requests and batches need too.
_MOST_AT_ONCE = 2


@dataclass(frozen=True)
class Answer:
    """What was found, as of when it was asked, and how long that took."""

    value: Any
    at: datetime
    took_seconds: float


@dataclass(frozen=True)
class First:
    """The first rows of a list, and how many it has."""

    rows: list[dict[str, Any]]
    count: int


class Remembered:
    """Keeps the last answer to each question."""

    def __init__(self, *, wait_seconds: float = _WAIT_SECONDS) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, Answer] = {}
        self._asked: dict[str, threading.Event] = {}
        self._errors: dict[str, Exception] = {}
        # When each is asked again, by the process's own clock.
        self._due: dict[str, float] = {}
        self._places = threading.Semaphore(_MOST_AT_ONCE)
        self.wait_seconds = wait_seconds

    def get(
        self,
        question: str,
        ask: Callable[[], Any],
        *,
        anew: bool = False,
        wait_seconds: float | None = None,
        shortest_seconds: float = _SHORTEST_SECONDS,
    ) -> Answer | None:
        """The answer to a question, which ``ask`` finds in a thread of its own; None where that takes long.

        It is waited for where there is none yet, where it is wanted ``anew``, and where the last one came within that
        time; else the old one is returned while a new one is on its way. An answer is good for ``shortest_seconds`` at
        least. Raises the error of ``ask`` where there is no answer at all; of an error that came later than a page
        waits only the log tells. What took long to fail is asked again after ten times as long, too.
        """
        wait = self.wait_seconds if wait_seconds is None else wait_seconds
        with self._lock:
            known = self._answers.get(question)
            asked = self._asked.get(question)
            if asked is None and (anew or time.monotonic() >= self._due.get(question, 0)):
                # An earlier error says nothing of now.
                self._errors.pop(question, None)
                asked = self._asked[question] = threading.Event()
                # A daemon, for which the end of the process does not wait.
                threading.Thread(
                    target=self._find, args=(question, ask, asked, shortest_seconds), name=question, daemon=True
                ).start()
        if asked is not None and (known is None or anew or known.took_seconds < wait):
            asked.wait(wait)
        with self._lock:
            if question in self._errors and question not in self._answers:
                raise self._errors[question]
            return self._answers.get(question)

    def _find(self, question: str, ask: Callable[[], Any], asked: threading.Event, shortest_seconds: float) -> None:
        pause = 0.0
        try:
            with self._places:
                pause = self._ask(question, ask, shortest_seconds)
        finally:
            with self._lock:
                self._due[question] = time.monotonic() + pause
                del self._asked[question]
            asked.set()

    def _ask(self, question: str, ask: Callable[[], Any], shortest_seconds: float) -> float:
        """Find the answer, and return after how many seconds it is asked again."""
        at, began = datetime.now(UTC), time.monotonic()
        try:
            value = ask()
        except Exception as error:
            logger.warning("%s could not be found out: %s", question, error)
            took = time.monotonic() - began
            if took <= self.wait_seconds:
                with self._lock:
                    self._errors[question] = error
            # Where the database is away; a count that ran into its time limit has cost much.
            return 0.0 if took < min(_BRIEF_SECONDS, self.wait_seconds) else _TIMES_ITS_COST * took
        took = time.monotonic() - began
        with self._lock:
            self._answers[question] = Answer(value, at, took)
            self._errors.pop(question, None)
        return max(shortest_seconds, _TIMES_ITS_COST * took)


def remembered(
    question: str,
    ask: Callable[[], Any],
    *,
    scope: str = "read",
    anew: bool = False,
    shortest_seconds: float = _SHORTEST_SECONDS,
) -> Answer | None:
    """What this process remembers, for a caller who holds a scope. Raises Forbidden for others."""
    require(scope)
    kept: Remembered = current_app.extensions[REMEMBERED]
    now = time.monotonic()
    if "console_wait_until" not in g:
        g.console_wait_until = now + kept.wait_seconds
    wait = max(g.console_wait_until - now, min(_LEAST_WAIT_SECONDS, kept.wait_seconds))
    return kept.get(question, ask, anew=anew, wait_seconds=wait, shortest_seconds=shortest_seconds)


def _reading(routine: str) -> Callable[[], list[dict[str, Any]]]:
    """What finds the rows of a routine of the schema public, also in a thread."""
    engine, _ = caller()
    return lambda: database.call(engine, f"public.{routine}", claims=_READER, is_reading=True)


def remembered_rows(routine: str, *, anew: bool = False) -> Answer | None:
    """The rows of a routine of the schema public that reads much, as remembered."""
    return remembered(routine, _reading(routine), anew=anew)


def remembered_first(routine: str, most: int, *, anew: bool = False) -> Answer | None:
    """The First rows of a routine of the schema public that reads much, as remembered."""
    read = _reading(routine)

    def ask() -> First:
        found = read()
        return First(found[:most], len(found))

    return remembered(routine, ask, anew=anew)
