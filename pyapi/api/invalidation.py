"""Tells the economy cache in Redis what a rerun has emptied, at once after the commit.

The rerun is done by then, so nothing here fails a request. What could not be deleted is kept, tried again with the next
deletion and the next readiness check, and readiness tells of it. What a process still has when it ends is deleted by
`pgreprise invalidate`, which reads the same scopes in the feed.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from pyapi.economy_cache import EconomyCache, EconomyCacheAwayError
from pyapi.wording import counted

__all__ = ["INVALIDATION", "Invalidation"]

logger = logging.getLogger(__name__)

# The key of Invalidation in app.extensions.
INVALIDATION = "pgreprise.invalidation"
# After a failure nobody waits for Redis again for so long.
_PAUSE_SECONDS = 5
# What a process keeps at most; about 10 MB. The feed has all of it.
_MOST_KEPT = 50_000


class Invalidation:
    """The deletions of one process. Without ``cache`` there is nothing to do. May be used by several greenlets."""

    def __init__(self, cache: EconomyCache | None) -> None:
        self._cache = cache
        # Each key with its number, in this order. A key that is asked for again meanwhile gets another number.
        self._waiting: dict[str, int] = {}
        self._numbers = itertools.count()
        self._quiet_until = 0.0

    @property
    def is_configured(self) -> bool:
        """Whether there is an economy cache in Redis."""
        return self._cache is not None

    def forget(self, scopes: Iterable[Mapping[str, Any]], act_id: int) -> None:
        """Delete the index keys of the scopes of an act, and those that wait. Never raises what Redis raises."""
        if self._cache is None:
            return
        keys = [self._cache.key(scope) for scope in scopes]
        if not keys:
            return
        for key in keys:
            # At the end, also where it waits already.
            self._waiting.pop(key, None)
            self._waiting[key] = next(self._numbers)
        while len(self._waiting) > _MOST_KEPT:
            del self._waiting[next(iter(self._waiting))]
        if time.monotonic() >= self._quiet_until and self._delete_waiting(self._cache):
            # Without the note `pgreprise invalidate` deletes once more, which is harmless.
            with suppress(EconomyCacheAwayError):
                self._cache.note_forgotten(act_id)

    def warnings(self) -> list[str]:
        """Ask Redis, delete what waits, and say what is wrong. The reasons are in the log only: anybody may ask."""
        if self._cache is None:
            return []
        try:
            self._cache.require_there()
        except EconomyCacheAwayError as error:
            self._failed(error)
            return [f"Redis cannot be used: the economy cache keeps what reruns emptied.{self._kept()}"]
        if self._waiting and not self._delete_waiting(self._cache):
            return [f"Redis refuses deletions: the economy cache keeps what reruns emptied.{self._kept()}"]
        return []

    def _kept(self) -> str:
        return f" {counted(len(self._waiting), 'deletion')} of this process will be repeated." if self._waiting else ""

    def _delete_waiting(self, cache: EconomyCache) -> bool:
        asked = dict(self._waiting)
        try:
            cache.delete(asked)
        except EconomyCacheAwayError as error:
            self._failed(error)
            return False
        for key, number in asked.items():
            if self._waiting.get(key) == number:
                del self._waiting[key]
        return True

    def _failed(self, error: EconomyCacheAwayError) -> None:
        self._quiet_until = time.monotonic() + _PAUSE_SECONDS
        logger.warning(
            "Redis: %s. %s of the economy cache not done yet.", error, counted(len(self._waiting), "deletion")
        )
