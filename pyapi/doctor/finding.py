"""What a check of the doctor returns, and how a check asks the database."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import psycopg
from psycopg.rows import dict_row

from pyapi.schema.files import sql_text

__all__ = ["UNCHECKED", "Finding", "ask", "rights_finding"]

# How a finding begins that tells why something could not be looked at.
UNCHECKED = "This could not be checked"


@dataclass(frozen=True)
class Finding:
    """One thing that the doctor found. A ``problem`` has to be solved; a ``note`` is only worth knowing."""

    check: str
    severity: Literal["problem", "note"]
    message: str
    remedy: str

    @property
    def is_unchecked(self) -> bool:
        """Whether it only tells that this role, or this moment, did not let the doctor see."""
        return self.severity == "note" and self.message.startswith(UNCHECKED)


def rights_finding(row: dict[str, Any]) -> Finding:
    """Rights that pgreprise_owner lacks or has too many of, on the object of a row."""
    privileges, what = ", ".join(row["privileges"]), f"{row['kind']} {row['object']}"
    if row["is_missing"]:
        return Finding(
            "rights",
            "problem",
            f"pgreprise_owner lacks {privileges} on {what}, which routines need.",
            f"grant {privileges} on {what} to pgreprise_owner;",
        )
    return Finding(
        "rights",
        "problem",
        f"pgreprise_owner holds {privileges} on {what}, which no routine needs.",
        f"revoke {privileges} on {what} from pgreprise_owner;",
    )


def ask(
    database: psycopg.Connection[Any], query: str, arguments: dict[str, Any] | None = None, *, domain: str = "core"
) -> list[dict[str, Any]]:
    """Run a query of ``sql/core/doctor``, or of another domain, named without folder and ending; return its rows."""
    return database.cursor(row_factory=dict_row).execute(_text(f"{domain}/{query}"), arguments).fetchall()


@cache
def _text(query: str) -> bytes:
    # One query is asked twice for each routine.
    return sql_text(query).encode()
