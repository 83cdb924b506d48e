"""Whether the application's economy cache outside the database forgets what reruns empty."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from sqlalchemy import Engine

from pyapi.database import call
from pyapi.doctor.finding import Finding, ask
from pyapi.economy_cache import READER
from pyapi.wording import counted

__all__ = ["unread_feed"]

_BEHIND_SECONDS = 600


def unread_feed(engine: Engine, database: psycopg.Connection[Any]) -> Iterator[Finding]:
    """`pgreprise invalidate` that never ran though the application is of that age, or that is far behind."""
    [tables] = ask(database, "run_tables")
    [reader] = call(engine, "public.feed_position", reader=READER)
    if reader["feed_position"] is None:
        # Applications with tables of runs have kept the cache in Redis since 2026-08-19.
        if tables["are_attached"]:
            yield Finding(
                "economy cache",
                # Before the first act nothing is wrong yet.
                "note" if reader["waiting_since"] is None else "problem",
                "The application keeps its economy cache outside the database: in Redis since 2026-08-19. pgreprise "
                "invalidate has never run here, so after a rerun the application may give the old result for up to 30 "
                "days.",
                "Set PGREPRISE_REDIS_URL, RUNTIME_CACHE_ENVIRONMENT and RUNTIME_CACHE_SERVICE, for pgreprise serve "
                "too, and keep this running: pgreprise invalidate",
            )
    elif reader["waiting_since"] is not None and reader["waiting_seconds"] > _BEHIND_SECONDS:
        minutes = counted(int(reader["waiting_seconds"] // 60), "minute")
        yield Finding(
            "economy cache",
            "problem",
            f"pgreprise invalidate is behind: an act has been waiting for it for {minutes}. Until it is read, the "
            "application may give the old results of reruns.",
            "See whether it runs, and what it prints: pgreprise invalidate",
        )
