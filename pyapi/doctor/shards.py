"""Whether a database that is one of several servers numbers its rows as a shard, and holds those that it should."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg

from pyapi.doctor.finding import Finding, ask

__all__ = ["problems"]


def problems(database: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Ids given in another way, missing triggers, rows of other servers, moves that stopped half-way."""
    for found in ask(database, "shard_questions", domain="reports"):
        yield Finding("shard", "problem", found["problem"], found["remedy"])
