"""The command that lists reports by status, age, type, version and country."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from pyapi.cli.connections import administrator
from pyapi.cli.options import AGE
from pyapi.cli.output import JSON_OPTION, echo, print_json, print_rows
from pyapi.database import call

__all__ = ["COMMANDS"]

_STATUSES = ("pending", "running", "complete", "error")


def _seconds(report: dict[str, Any]) -> str | None:
    """How long the run has waited, and how long it has run, each rounded to seconds."""
    known = [
        f"{name} {report[column]:.0f}"
        for name, column in (("waited", "wait_seconds"), ("ran", "run_seconds"))
        if report[column] is not None
    ]
    return ", ".join(known) or None


def _shown(report: dict[str, Any]) -> dict[str, Any]:
    simulations = (report["simulation_1_id"], report["simulation_2_id"])
    return {
        "report": report["id"],
        "country": report["country_id"],
        "type": report["report_type"],
        "year": report["year"],
        "version": report["api_version"],
        "status": report["status"],
        "since": report["since"],
        "run": report["run_sequence"],
        "attempt": report["attempt"],
        "seconds": _seconds(report),
        "simulations": [one for one in simulations if one is not None],
        "error": report["error_message"],
    }


@click.command("reports")
@click.option("--country", "country_id", metavar="ID", help="Reports of this country.")
@click.option("--status", type=click.Choice(_STATUSES), help="Reports of this status.")
@click.option("--older-than", metavar="AGE", type=AGE,
              help="Pending, running or finished for longer: a number with a unit, 30m, 12h, 2d.")  # fmt: skip
@click.option("--report-type", type=click.Choice(["household", "geography"]), help="Reports of this type.")
@click.option("--api-version", metavar="VERSION", help="Reports that this version computed.")
@click.option("--year", metavar="YEAR", help="Reports of this year.")
@click.option("--after", "after_report_id", metavar="ID", type=int, help="The next page: reports after this id.")
@click.option("--limit", "max_rows", type=click.IntRange(1, 1000), default=100, show_default=True)
@JSON_OPTION
def reports(as_json: bool, max_rows: int, **given: str | int | timedelta | None) -> None:
    """List reports by status, age, type, version and country, by id: those that meet every condition."""
    conditions: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with administrator() as engine:
        found = call(engine, "public.find_reports", **conditions, max_rows=max_rows)
    if as_json:
        print_json(found)
        return
    print_rows([_shown(report) for report in found], False, empty="No report meets these conditions.")
    if len(found) == max_rows:
        echo(f"More reports: --after {found[-1]['id']}", err=True)


COMMANDS = (reports,)
