"""The life of runs: stuck workers, the index that claims read, and finished runs that may be written again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
from sqlalchemy import Engine

from pyapi.database import call
from pyapi.doctor.finding import Finding, ask
from pyapi.wording import counted

__all__ = ["crowded_index", "refused_claims", "stuck_runs", "unfinishing"]

# A worker that does not claim may take so long for a report.
_STUCK_AGE = "1 day"
# More than a claim should read before it finds the first pending report.
_MOST_PAGES = 200


def stuck_runs(engine: Engine) -> Iterator[Finding]:
    """Claims that nobody took over when their lease was over, and reports that run for long without one."""
    found = call(
        engine,
        "public.release_stuck_runs",
        columns="report_id, worker, result",
        older_than=_STUCK_AGE,
        max_rows="10000",
        dry_run=True,
    )
    lapsed = [row for row in found if row["worker"] is not None]
    if lapsed:
        yield Finding(
            "claims",
            "note",
            f"The lease of {counted(len(lapsed), 'claim')} is over and nobody has taken the "
            f"{'report' if len(lapsed) == 1 else 'reports'} over, for example report #{lapsed[0]['report_id']} of "
            f"worker {lapsed[0]['worker']}.",
            "Nothing, if workers are about to claim. Otherwise: pgreprise release-stuck --older-than 1d",
        )
    known = [row for row in found if row["worker"] is None and row["result"] == "to be released"]
    if known:
        yield Finding(
            "claims",
            "note",
            f"{counted(len(known), 'report')} {'has' if len(known) == 1 else 'have'} been running for more than "
            f"{_STUCK_AGE} without a claim, for example report #{known[0]['report_id']}.",
            "If no worker computes them any more: pgreprise release-stuck --older-than 1d",
        )


def refused_claims(database: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Pending reports that the application does not let become running."""
    found = ask(database, "refused_claims", domain="reports")
    if found:
        yield Finding(
            "claims",
            "problem",
            f"The application refuses that {counted(len(found), 'pending report')} "
            f"{'is' if len(found) == 1 else 'are'} computed, for example report #{found[0]['report_id']}: "
            f"{found[0]['because']}",
            "Mend the trigger or the constraint, or cancel the runs. Each is tried again every minute.",
        )


def crowded_index(database: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Dead entries at the head of the index of pending reports."""
    [row] = ask(database, "pending_index", domain="reports")
    told = row["QUERY PLAN"]
    [plan] = json.loads(told) if isinstance(told, str) else told
    pages = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
    # In a small table the index is not used.
    if "Index" in json.dumps(plan) and pages > _MOST_PAGES:
        yield Finding(
            "claims",
            "note",
            f"A claim reads {pages} pages before it finds the first pending report, because the head of the index "
            "pgreprise_report_outputs_pending holds entries of reports that were finished.",
            "vacuum public.report_outputs; If that does not help, an old transaction is open: select * from "
            "pg_stat_activity order by xact_start;",
        )


def unfinishing(engine: Engine) -> Iterator[Finding]:
    """The setting that lets a finished run be written again."""
    if any(row["name"] == "allow_unfinish" and row["value"] == "on" for row in call(engine, "public.settings")):
        yield Finding(
            "runs",
            "note",
            "Finished reports and simulations may be written again, because allow_unfinish is on: a late worker can "
            "overwrite a result.",
            "When no older application needs it: pgreprise setting set allow_unfinish off",
        )
