"""Commands that look after a database: current versions, settings, the archive, the doctor."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import click
import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pyapi import doctor
from pyapi.chunks import do_chunk
from pyapi.cli.chunks import STOPPED, stoppable
from pyapi.cli.connections import administrator
from pyapi.cli.options import AGE
from pyapi.cli.output import JSON_OPTION, echo, explain, print_json, print_rows, progress_bar
from pyapi.database import call
from pyapi.embedded import EmbeddedUnavailableError
from pyapi.wording import counted, size

__all__ = ["COMMANDS"]


@click.group("cache-version")
def cache_version() -> None:
    """The current versions of each country. A deployment sets them."""


@cache_version.command("show")
@JSON_OPTION
def cache_version_show(as_json: bool) -> None:
    """Show the current versions of every country."""
    with administrator() as engine:
        print_rows(call(engine, "public.cache_versions"), as_json, empty="There are no countries.")


@cache_version.command("set")
@click.argument("country")
@click.option("--economy-impact", metavar="VERSION", help="api_version of current economy cache rows.")
@click.option("--report-output", metavar="VERSION", help="api_version of current reports.")
@click.option("--package", metavar="VERSION", help="api_version of current simulations.")
def cache_version_set(country: str, economy_impact: str | None, report_output: str | None, package: str | None) -> None:
    """Set the current versions of a country. Versions that are not given do not change."""
    if economy_impact is report_output is package is None:
        raise click.UsageError("Give at least one of --economy-impact, --report-output and --package.")
    with administrator() as engine:
        call(
            engine,
            "public.set_cache_versions",
            country_id=country,
            economy_impact=economy_impact,
            report_output=report_output,
            package=package,
        )
    echo(f"The versions of {country} are set.")


@click.command("doctor")
@click.option("--nagios", "for_monitor", is_flag=True, help="Print and exit as Nagios wants: 0 well, 2 not, 3 unknown.")
@JSON_OPTION
def doctor_command(for_monitor: bool, as_json: bool) -> None:
    """Look for problems, and say how to solve each. The exit code is 1 when there is a problem."""
    if for_monitor:
        raise SystemExit(_doctor_for_monitor())
    with administrator() as engine:
        findings = doctor.examine(engine)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        # A table would fold the lines, and nobody could copy a remedy from it.
        for finding in findings:
            echo(f"{finding.severity}, {finding.check}: {finding.message}\n    {finding.remedy}")
        if not findings:
            echo("All is well.")
    if any(finding.severity == "problem" for finding in findings):
        raise SystemExit(1)


def _doctor_for_monitor() -> int:
    """Print what a monitor as Nagios reads: a line with the state and the numbers, then what was found."""
    try:
        with administrator() as engine:
            findings = doctor.examine(engine)
    except (click.ClickException, DBAPIError, EmbeddedUnavailableError, OSError, psycopg.Error) as error:
        said = explain(error)["message"] if isinstance(error, DBAPIError) else str(error)
        echo(f"PGREPRISE UNKNOWN - {' '.join(said.split())}")
        return 3
    problems = sum(finding.severity == "problem" for finding in findings)
    notes = len(findings) - problems
    state, code = ("CRITICAL", 2) if problems else ("OK", 0)
    echo(
        f"PGREPRISE {state} - {counted(problems, 'problem')}, {counted(notes, 'note')} | "
        f"problems={problems};;0 notes={notes}"
    )
    for finding in findings:
        # In these lines a bar would begin more numbers.
        echo(f"{finding.severity}, {finding.check}: {finding.message}".replace("|", "/"))
    return code


@click.group()
def setting() -> None:
    """The settings that pgreprise has in this database."""


@setting.command("show")
@JSON_OPTION
def setting_show(as_json: bool) -> None:
    """Show each setting, its value and its purpose."""
    with administrator() as engine:
        print_rows(call(engine, "public.settings"), as_json, empty="There are no settings.")


@setting.command("set")
@click.argument("name")
@click.argument("value")
def setting_set(name: str, value: str) -> None:
    """Change a setting."""
    with administrator() as engine:
        call(engine, "public.set_setting", name=name, value=value)
        # PostgreSQL takes a boolean in several spellings.
        [stored] = [row["value"] for row in call(engine, "public.settings") if row["name"] == name]
    echo(f"Setting {name} is {stored}.")


@setting.command("clear")
@click.argument("name")
def setting_clear(name: str) -> None:
    """Take the value of a setting away, where it may be without one."""
    with administrator() as engine:
        call(engine, "public.set_setting", name=name, value=None)
    echo(f"Setting {name} has no value.")


# --- the archive -----------------------------------------------------------------------------


def _what_would_go(found: dict[str, Any]) -> str:
    if found["purgeable_reruns"] == 0:
        return "No outputs are that old."
    return (
        f"The outputs of {counted(found['purgeable_reruns'], 'rerun')} would be deleted: "
        f"{counted(found['purgeable_outputs'], 'output')}, {size(found['purgeable_bytes'])}, "
        f"from {found['purgeable_from'].astimezone():%Y-%m-%d %H:%M} to "
        f"{found['purgeable_to'].astimezone():%Y-%m-%d %H:%M}. These reruns could not be undone any more."
    )


def _agreed(question: str) -> bool:
    """Whether somebody at a terminal agrees. Without a terminal nobody does."""
    if not sys.stdin.isatty():
        echo("error: Nobody can be asked, so nothing was deleted. Give --yes to purge without a question.", err=True)
        return False
    return click.confirm(question, err=True)


def _purge_chunks(engine: Engine, wanted: dict[str, Any], total: int) -> tuple[dict[str, int], bool]:
    """Purge chunk by chunk. Return what was freed, and whether Ctrl-C stopped it."""
    freed = {"reruns": 0, "bytes": 0}
    after = "0"
    with progress_bar() as progress, stoppable(progress) as is_stopped:
        task = progress.add_task("purge", total=total)
        while not is_stopped():
            chunk = do_chunk(engine, "public.purge_chunk", **wanted, after_rerun_id=after)
            if chunk["after"] is None:
                return freed, False
            after = str(chunk["after"])
            freed = {name: freed[name] + chunk[name] for name in freed}
            progress.update(task, completed=freed["reruns"])
    return freed, True


@click.command()
@click.option("--older-than", metavar="AGE", type=AGE, help="A number with a unit: 12h, 30d, 8w.")
@click.option("--by-retention", is_flag=True, help="What the settings archive_keep and archive_keep_bytes do not keep.")
@click.option("--keep-last", type=click.IntRange(min=0),
              help="How many runs of each report keep their output at any age; 1 by default.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, and change nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask. --by-retention never asks.")
@JSON_OPTION
def purge(
    older_than: timedelta | None, by_retention: bool, keep_last: int | None, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Delete the archived outputs of old runs. Reruns whose outputs are deleted can no longer be undone.

    It shows what would be deleted, and asks. The history of the runs and the idempotency keys are kept. Ctrl-C stops
    after the current chunk. Run the command again to continue.
    """
    if by_retention == (older_than is not None) or (by_retention and keep_last is not None):
        raise click.UsageError("Give either --older-than, with or without --keep-last, or --by-retention.")
    # The number is sent as text: it would be sent as a bigint, and the parameter is an integer.
    wanted: dict[str, Any] = {"older_than": older_than, "keep_last": str(1 if keep_last is None else keep_last)}
    with administrator() as engine:
        if by_retention:
            [retention] = call(engine, "public.archive_retention", is_required=True)
            wanted = {"older_than": retention["older_than"], "keep_last": str(retention["keep_last"])}
        [found] = call(engine, "public.archive_size", **wanted)
        if dry_run:
            if as_json:
                print_json(found)
            else:
                echo(
                    f"The archive holds the outputs of {counted(found['archived_reruns'], 'rerun')}, "
                    f"{size(found['archived_bytes'])}, and takes {size(found['archive_bytes'])} of disk. "
                    f"{_what_would_go(found)} Nothing was changed."
                )
            return
        if found["purgeable_reruns"] > 0 and not (yes or by_retention):
            echo(_what_would_go(found), err=True)
            if not _agreed("Delete them?"):
                echo("Nothing was deleted.", err=True)
                raise SystemExit(1)
        freed, stopped = _purge_chunks(engine, wanted, found["purgeable_reruns"])
    if as_json:
        print_json({"state": "stopped" if stopped else "finished", **freed})
    else:
        echo(
            f"The outputs of {counted(freed['reruns'], 'rerun')} were deleted, {size(freed['bytes'])}. "
            "Vacuum makes the space usable again."
        )
    if stopped:
        echo("Stopped. Run the command again to continue.", err=True)
        raise SystemExit(STOPPED)


COMMANDS = (cache_version, setting, purge, doctor_command)
