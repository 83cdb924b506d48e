"""Commands for claims: which workers compute what, the attempts of a report, cancelling a run, releasing stuck ones."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from pyapi.cli.connections import administrator
from pyapi.cli.options import AGE, REASON_OPTION
from pyapi.cli.output import JSON_OPTION, echo, print_json, print_rows, took
from pyapi.database import call
from pyapi.wording import counted

__all__ = ["COMMANDS"]


def _percent(progress: float | None) -> str | None:
    return None if progress is None else f"{progress:.0%}"


def _rounded(attempt: dict[str, Any]) -> dict[str, Any]:
    # PostgreSQL keeps seven digits of it.
    return {**attempt, "progress": attempt["progress"] and round(attempt["progress"], 6)}


@click.command("claims")
@click.option("--country", metavar="ID", help="Reports of this country.")
@click.option("--after", metavar="REPORT", type=int, help="The next page: reports after this one.")
@click.option("--limit", "max_rows", type=click.IntRange(1, 1000), default=100, show_default=True)
@JSON_OPTION
def claims(country: str | None, after: int | None, max_rows: int, as_json: bool) -> None:
    """List what workers compute now, by report: who, since when, how far, and until when they may be silent."""
    with administrator() as engine:
        # As text: a number would be sent as a bigint, and the parameter is an integer.
        found = call(engine, "public.open_claims", country_id=country, after_report_id=after, max_rows=str(max_rows))
    if as_json:
        print_json([_rounded(row) for row in found])
        return
    shown = [
        {
            **{name: row[f"{name}_id"] for name in ("report", "country")},
            "run": row["run_sequence"],
            "attempt": row["attempt"],
            "worker": row["worker"],
            "since": row["claimed_at"],
            "heard of": row["heartbeat_at"],
            "may be silent until": row["lease_until"],
            "progress": _percent(row["progress"]),
            "note": "; ".join(
                part
                for part in (
                    "to be cancelled" if row["cancel_requested"] else "",
                    row["ended_because"] or "",
                    row["message"] or "",
                )
                if part
            ),
        }
        for row in found
    ]
    print_rows(shown, False, empty="No worker has a claim.")
    if len(found) == max_rows:
        echo(f"Further reports: --after {found[-1]['report_id']}", err=True)


@click.command("attempts")
@click.argument("country")
@click.argument("report_id", metavar="ID", type=int)
@JSON_OPTION
def attempts(country: str, report_id: int, as_json: bool) -> None:
    """List the attempts of workers to compute runs of a report, the newest first, and how each ended."""
    with administrator() as engine:
        found = call(engine, "public.report_attempts", report_id=report_id, country_id=country)
    if as_json:
        print_json([_rounded(row) for row in found])
        return
    shown = [
        {
            "run": row["run_sequence"],
            "attempt": row["attempt"],
            "worker": row["worker"],
            "claimed": row["claimed_at"],
            "ran": took(row["run_seconds"]),
            "progress": _percent(row["progress"]),
            "message": row["message"],
            "ended": row["ended_as"] or ("to be cancelled" if row["cancel_requested"] else "at work"),
            "because": row["ended_because"],
        }
        for row in found
    ]
    print_rows(shown, False, empty="No worker has claimed this report.")


@click.command("cancel-run")
@click.argument("country")
@click.argument("report_id", metavar="ID", type=int)
@REASON_OPTION
@JSON_OPTION
def cancel_run(country: str, report_id: int, reason: str | None, as_json: bool) -> None:
    """End the current run of a report that is pending or running. A rerun starts the next one.

    A worker that computes it hears of it with its next heartbeat, and the run ends then, at the latest when the lease
    of the worker is over. Until then no result of it is taken.
    """
    with administrator() as engine:
        [row] = call(
            engine,
            "public.cancel_run",
            columns="cancel_run as cancelled",
            report_id=report_id,
            country_id=country,
            reason=reason,
        )
    cancelled = row["cancelled"]
    if as_json:
        print_json(cancelled)
        return
    run = f"Run {cancelled['run_sequence']} of report #{report_id}"
    echo(
        f"{run} ends when its worker hears of it, at the latest when its lease is over; act #{cancelled['rerun_id']}."
        if cancelled["cancel_requested"]
        else f"{run} is cancelled; act #{cancelled['rerun_id']}."
    )


@click.command("release-stuck")
@click.option("--older-than", metavar="AGE", type=AGE, required=True,
              help="A number with a unit, longer than any computation: 30m, 6h, 2d.")  # fmt: skip
@click.option("--max-rows", type=click.IntRange(1, 10_000), default=100, show_default=True, help="So many at most.")
@click.option("--country", metavar="ID", help="Reports of this country.")
@click.option("--dry-run", is_flag=True, help="Only show them, and change nothing.")
@JSON_OPTION
def release_stuck(older_than: timedelta, max_rows: int, country: str | None, dry_run: bool, as_json: bool) -> None:
    """Put reports that nobody computes any more back to pending.

    Those are reports whose worker was silent for longer than its lease, and reports that have been running for longer
    than AGE without a claim. Where nobody knows since when, they are listed and stay as they are.
    """
    with administrator() as engine:
        found = call(
            engine,
            "public.release_stuck_runs",
            older_than=older_than,
            # As text: a number would be sent as a bigint, and the parameter is an integer.
            max_rows=str(max_rows),
            country_id=country,
            dry_run=dry_run,
        )
    print_rows(found, as_json, empty="No run is stuck.")
    if not as_json and len(found) == max_rows:
        echo(f"There may be more than these {counted(max_rows, 'report')}. --max-rows lists more.", err=True)


COMMANDS = (cancel_run, attempts, claims, release_stuck)
