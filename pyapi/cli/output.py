"""What the commands print: tables for people, with local times; JSON for scripts; errors; progress."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import click
import psycopg
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text
from sqlalchemy.exc import DBAPIError

from pyapi.database import READ_ONLY, READ_ONLY_HINT
from pyapi.schema.causes import Cause, cause_of, host_message, lost_column
from pyapi.wording import duration

__all__ = [
    "ERR",
    "JSON_OPTION",
    "echo",
    "explain",
    "local_time",
    "print_document",
    "print_error",
    "print_first_rows",
    "print_json",
    "print_rows",
    "printable",
    "progress_bar",
    "took",
    "who",
]

_OUT = Console()
ERR = Console(stderr=True)
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
# About as many as fit on a screen.
_SHOWN_ROWS = 20
_SHOWN_IDS = 10
_PIPE_COLUMNS = 100_000
# What a terminal obeys instead of showing it: C0 but for tab and newline, DEL and C1.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


# --- text ------------------------------------------------------------------------------------


def printable(text: str) -> str:
    """Text as a terminal may have it: a reason or a message can hold what would change its title or its lines."""
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def echo(text: str, *, err: bool = False) -> None:
    """Print text on stdout or stderr, with control characters shown as ``\\x1b``."""
    click.echo(printable(text), err=err)


def print_document(document: str) -> None:
    """Print a JSON document as it is stored; for a terminal, control characters are written as JSON escapes them."""
    if sys.stdout.isatty():
        document = _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", document)
    click.echo(document)


# --- tables and JSON -------------------------------------------------------------------------


def local_time(moment: datetime) -> str:
    """A time as people read it: in their zone, to the second."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def _shown(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return local_time(value)
        case list():
            shown = ", ".join(str(item) for item in value[:_SHOWN_IDS])
            return f"{shown} and {len(value) - _SHOWN_IDS} more" if len(value) > _SHOWN_IDS else shown
        case _:
            return str(value)


def _print_table(rows: list[dict[str, Any]], title: str | None = None) -> None:
    table = Table(title=title, title_justify="left", title_style="")
    for name in rows[0]:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        # In a plain string, brackets would be read as markup.
        table.add_row(*(Text(printable(_shown(value))) for value in row.values()))
    if not _OUT.is_terminal:
        # What reads a pipe has no width, so the table is as wide as its content.
        _OUT.width = _PIPE_COLUMNS
    _OUT.print(table)


def took(seconds: float | None) -> str | None:
    """How long something took, None where that is not known."""
    return None if seconds is None else duration(seconds)


def who(row: dict[str, Any]) -> str | None:
    """Who did something: the person of the token, or where there was none the role."""
    name: str | None = row["actor"] or row["role_setting"] or row["session_role"]
    return name


def print_json(value: Any) -> None:
    """Print a value as one line of JSON, with times in ISO 8601."""
    click.echo(
        json.dumps(value, default=lambda other: other.isoformat() if isinstance(other, datetime) else str(other))
    )


def print_rows(rows: list[dict[str, Any]], as_json: bool, *, empty: str) -> None:
    """Print rows as a table or as a JSON array. ``empty`` is printed in place of a table without rows."""
    if as_json:
        print_json(rows)
    elif not rows:
        echo(empty)
    else:
        _print_table(rows)


def print_first_rows(rows: Iterable[dict[str, Any]], count: int, title: str) -> None:
    """Print a table of the first rows, and how many more of the ``count`` rows there are."""
    shown = [row for row, _ in zip(rows, range(_SHOWN_ROWS), strict=False)]
    if shown:
        _print_table(shown, title)
    if count > len(shown):
        echo(f"and {count - len(shown)} more. --json lists all.")


# --- progress --------------------------------------------------------------------------------


class _Rate(ProgressColumn):
    """Rows per second since this command began. Rows done before it (field ``before``) do not count."""

    def render(self, task: Task) -> Text:
        done = task.completed - task.fields.get("before", 0)
        return Text(f"{done / task.elapsed:.0f}/s" if done > 0 and task.elapsed else "-/s")


def progress_bar() -> Progress:
    """A progress bar on stderr: what is done, how many of how many, how many per second, time left."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn(), console=ERR
    )


# --- errors ----------------------------------------------------------------------------------


def explain(error: DBAPIError) -> dict[str, Any]:
    """An error of the database as code, message, detail and hint."""
    original = error.orig
    if not isinstance(original, psycopg.Error) or original.sqlstate is None:
        return {"message": str(original).strip()}
    diagnostic = original.diag
    explained = {
        "code": original.sqlstate,
        "message": diagnostic.message_primary,
        "detail": diagnostic.message_detail,
        "hint": diagnostic.message_hint,
    }
    match cause_of(original):
        case Cause.NOT_INSTALLED:
            explained["hint"] = "pgreprise is not installed in this database, or it is older. Run `pgreprise migrate`."
        case Cause.HOST_TABLES:
            explained["hint"] = "A table of the application was changed. Run `pgreprise doctor`: it says which column."
            if column := lost_column(original):
                explained["message"] = f"{explained['message']}: {column} is missing or has another type."
        case Cause.HOST_RULE:
            explained["message"] = host_message(original)
            explained["hint"] = explained["hint"] or (
                "A trigger or constraint of the application says this, and not pgreprise."
            )
    if original.sqlstate == READ_ONLY:
        explained["message"] = "The database is read only, so nothing was changed."
        explained["hint"] = READ_ONLY_HINT
    return {name: value for name, value in explained.items() if value is not None}


def print_error(explained: dict[str, Any]) -> None:
    """Print the result of ``explain`` on stderr."""
    code = f" ({explained['code']})" if "code" in explained else ""
    echo(f"error: {explained['message']}{code}", err=True)
    for name in ("detail", "hint"):
        # A detail in JSON is for programs.
        if name in explained and not str(explained[name]).startswith("{"):
            echo(f"{name}: {explained[name]}", err=True)
