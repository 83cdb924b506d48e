"""The figures of carbon reports, and what the calculator keeps beside its entries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from sqlalchemy import Engine

from pyapi.database import call
from pyapi.doctor.finding import Finding, ask
from pyapi.wording import counted

__all__ = ["differing_stats", "failing_refreshes", "unknown_emission_types", "unwritten_audit"]

# So many are counted; more are "at least".
_COUNTED = 1000


def differing_stats(engine: Engine) -> Iterator[Finding]:
    """Modules and reports whose stored stats are not what their rows add up to."""
    found = call(engine, "public.carbon_stats_differences", max_rows=_COUNTED)
    if not found:
        return
    modules = sum(row["module_type_id"] is not None for row in found)
    first = found[0]
    what = f"carbon report #{first['carbon_report_id']}"
    if first["module_type_id"] is not None:
        what = f"module {first['module_type_id']} of {what}"
    at_least = "at least " if len(found) == _COUNTED else ""
    yield Finding(
        "carbon figures",
        "problem",
        f"The stats of {at_least}{counted(modules, 'module')} and {counted(len(found) - modules, 'carbon report')} are "
        f"not what their rows add up to, for example {first['figure']} of {what}: stored {first['stored']}, "
        f"computed {first['computed']}.",
        "pgreprise carbon differences lists them. Let the calculator compute its stats again. Any write of an entry in "
        "the module does that too.",
    )


def unknown_emission_types(database: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Emission types that the calculator has and pgreprise does not know."""
    found = ask(database, "unknown_emission_types", domain="carbon")
    if found:
        types = ", ".join(str(row["emission_type_id"]) for row in found)
        yield Finding(
            "carbon figures",
            "problem",
            f"Emissions have types that pgreprise does not know: {types}. They count in totals, and not in stats, "
            "scopes and breakdowns.",
            "Install the version of pgreprise that knows the calculator of this date.",
        )


def failing_refreshes(database: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Stale explore reports whose refresh failed again and again."""
    for found in ask(database, "failing_refreshes", domain="carbon"):
        yield Finding(
            "explore reports",
            "problem",
            f"The refresh of explore report #{found['report_id']} of unit #{found['unit_id']} failed "
            f"{found['failures']} times, last {found['last_failed_at']:%Y-%m-%d %H:%M %Z}: {found['message']}",
            "Readers get the stale report as long as this lasts. Take away what the message names; the next reader "
            "causes the refresh.",
        )


def unwritten_audit(database: psycopg.Connection[Any]) -> Iterator[Finding]:
    """The calculator's audit of entries, which pgreprise does not write."""
    [found] = ask(database, "audit_table", domain="carbon")
    if found["exists"]:
        yield Finding(
            "carbon entries",
            "note",
            "The calculator keeps an audit of entries (public.audit_documents). What is written through pgreprise is "
            "not in it.",
            "docs/how-to/adopt-carbon-tables.md tells why. Who must have every change in it lets only the calculator "
            "write entries.",
        )
