"""What a check of the doctor gives, and how it asks the catalogs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg.rows import dict_row

__all__ = ["Finding", "rows"]


@dataclass(frozen=True)
class Finding:
    """One thing that the doctor found: a ``problem`` is to be mended, a ``note`` only to be known."""

    check: str
    severity: Literal["problem", "note"]
    message: str
    remedy: str


def rows(
    database: psycopg.Connection[Any], statement: str, arguments: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Ask the catalogs; ``statement`` is ours, never input."""
    return database.cursor(row_factory=dict_row).execute(statement.encode(), arguments).fetchall()
