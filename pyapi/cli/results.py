"""Commands about results: the last good one of a report, and what differs between those of two runs."""

from __future__ import annotations

import shlex
from typing import Any

import click

from pyapi.cli.connections import administrator
from pyapi.cli.output import JSON_OPTION, echo, local_time, print_document, print_json, print_rows
from pyapi.database import call

__all__ = ["COMMANDS"]

# About as much of a value as fits into a column.
_SHOWN_CHARACTERS = 60


def _about(found: dict[str, Any]) -> str:
    """Which run it is, and which one is newer, in a sentence each."""
    version = f"version {found['api_version']}" + (", which is not the current one" if found["is_stale"] else "")
    finished = f", finished at {local_time(found['finished_at'])}" if found["finished_at"] else ""
    said = f"Run {found['run_sequence']} of report #{found['report_id']}, {version}{finished}."
    if found["newer_run_sequence"] is None:
        return said
    since = f" since {local_time(found['newer_since'])}" if found["newer_since"] else ""
    return f"{said} Run {found['newer_run_sequence']} is at status {found['newer_status']}{since}."


@click.command("last-good")
@click.argument("country")
@click.argument("report_id", metavar="ID", type=int)
@JSON_OPTION
def last_good(country: str, report_id: int, as_json: bool) -> None:
    """Print the newest complete output of a report, which may be that of an earlier run.

    Which run it is, and whether a newer one is pending or running, is told on stderr.
    """
    with administrator() as engine:
        [found] = call(engine, "public.last_good_report", report_id=report_id, country_id=country)
    if as_json:
        print_json(found)
        return
    print_document(found["output"])
    echo(_about(found), err=True)


def _shortened(value: str | None) -> str | None:
    if value is None or len(value) <= _SHOWN_CHARACTERS:
        return value
    return f"{value[: _SHOWN_CHARACTERS - 3]}..."


@click.command("compare-runs")
@click.argument("country")
@click.argument("report_id", metavar="ID", type=int)
@click.argument("run_sequence", metavar="RUN", type=int)
@click.argument("other_run_sequence", metavar="RUN", type=int)
@click.option("--after", "after_path", metavar="PATH", help="The next page: differences after this path.")
@click.option("--limit", "max_rows", type=click.IntRange(1, 1000), default=1000, show_default=True)
@JSON_OPTION
def compare_runs(
    country: str,
    report_id: int,
    run_sequence: int,
    other_run_sequence: int,
    after_path: str | None,
    max_rows: int,
    as_json: bool,
) -> None:
    """List what differs between the outputs of two runs of a report, from the first run to the second.

    A path is a JSON pointer. A table shows the beginning of long values; --json gives them as a whole, as JSON text.
    """
    with administrator() as engine:
        differences = call(
            engine,
            "public.compare_runs",
            # As text, so that no number loses digits.
            columns="path, change, old_value::text, new_value::text",
            report_id=report_id,
            run_sequence=run_sequence,
            other_run_sequence=other_run_sequence,
            country_id=country,
            after_path=after_path,
            max_rows=max_rows,
        )
    if as_json:
        print_json(differences)
        return
    shown = [
        {
            **difference,
            "old_value": _shortened(difference["old_value"]),
            "new_value": _shortened(difference["new_value"]),
        }
        for difference in differences
    ]
    print_rows(shown, False, empty="The outputs do not differ." if after_path is None else "No further difference.")
    if len(differences) == max_rows:
        echo(f"More differences: --after {shlex.quote(differences[-1]['path'])}", err=True)


COMMANDS = (last_good, compare_runs)
