"""A router: the servers behind it, whether they are alike, and whether they hold what it sends them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg

from pyapi.doctor.finding import Finding, ask

__all__ = ["is_router", "servers"]


def is_router(database: psycopg.Connection[Any]) -> bool:
    """Whether the database is a router."""
    [row] = ask(database, "is_router")
    return bool(row["is_router"])


def servers(database: psycopg.Connection[Any]) -> Iterator[Finding]:
    """What is wrong with the servers of a router, and with what the router knows of them."""
    for row in ask(database, "router_findings"):
        yield Finding(row["subject"], "problem" if row["is_problem"] else "note", row["message"], row["remedy"])
