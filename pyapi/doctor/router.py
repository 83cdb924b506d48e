"""What is wrong between a router and its servers."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
from sqlalchemy import Engine

from pyapi.database import call
from pyapi.doctor.finding import Finding, ask

__all__ = ["disagreements", "is_router"]


def is_router(database: psycopg.Connection[object]) -> bool:
    """Whether the database is a router."""
    [row] = ask(database, "is_router")
    return bool(row["is_router"])


def disagreements(engine: Engine) -> Iterator[Finding]:
    """Servers that are away or differ, logical shards that are elsewhere, and a router that is older than they are."""
    for row in call(engine, "pgreprise.router_findings"):
        yield Finding("router", "problem", row["message"], row["remedy"])
