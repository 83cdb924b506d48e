"""The ``pgreprise`` command. Each module here holds a group of commands.

Exit codes: 0 done, 1 refused by the database or a problem found, 2 wrong usage, 130 stopped by Ctrl-C, 129 and 143 by
SIGHUP and SIGTERM.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import click

from pyapi.cli import (
    batches,
    carbon,
    claims,
    history,
    installation,
    invalidation,
    lists,
    manual,
    reports,
    results,
    serving,
    shards,
    upkeep,
    work,
)
from pyapi.cli.failures import FAILURES, failure
from pyapi.cli.output import echo, print_error, print_json, printable

__all__ = ["cli", "main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pgreprise")
def cli() -> None:
    """Rerun stored reports safely, by stored procedures in PostgreSQL.

    DATABASE_URL is the URL of the database. Without it an embedded PostgreSQL in ./.pgreprise is used;
    `up` and `migrate` make it.
    PGREPRISE_MIGRATION_URL is the URL of the same database for a role that may migrate it.
    """


for group in (
    *(serving, installation, reports, results, lists, history, claims, work, batches, invalidation, carbon, upkeep),
    shards,
    manual,
):
    for command in group.COMMANDS:
        cli.add_command(command)


def _stop(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def _stop_by_signals() -> None:
    """End in order after SIGTERM and when the terminal is closed, so that the embedded server stops too."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        # nohup ignores it, to go on without the terminal.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)


def _end(code: int) -> NoReturn:
    """End the process. Where the last of the output cannot be written, the interpreter would print a traceback."""
    try:
        sys.stdout.flush()
    except OSError as error:
        _say(f"error: the output cannot be written: {error.strerror}")
        # The rest would be tried again at the end.
        os._exit(code or 1)
    sys.exit(code)


def _say(message: str) -> None:
    with suppress(OSError):
        echo(message, err=True)


def _print_failure(error: BaseException, said: dict[str, Any]) -> None:
    if "--json" in sys.argv[1:]:
        # Where the output cannot be written, that is the error.
        with suppress(OSError):
            print_json({"error": said})
    match error:
        case click.Abort():
            _say(said["message"])
        case click.exceptions.NoArgsIsHelpError():
            error.show()
        case click.UsageError():
            # With the usage.
            click.UsageError(printable(said["message"]), error.ctx).show()
        case click.ClickException():
            _say(f"Error: {said['message']}")
        case _:
            with suppress(OSError):
                print_error(said)


def _open_closed_streams() -> None:
    """Let a stream that is closed, as after ``>&-``, be one that takes everything and has nothing."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - open until the end
            # It has the number of the closed one, which a program that is started expects to be there.
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


def _print_what_can_be_printed() -> None:
    """Let no character that a terminal does not have end a command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def main() -> None:
    """Run the command. An error of the database or of usage becomes one clear message and an exit code.

    With --json it is also printed as {"error": {"message", and where there are "code", "detail", "hint"}}.
    """
    _stop_by_signals()
    _open_closed_streams()
    _print_what_can_be_printed()
    try:
        code = cli.main(standalone_mode=False)
    except SystemExit as end:
        code = end.code
    except FAILURES as error:
        said, code = failure(error)
        _print_failure(error, said)
    _end(code if isinstance(code, int) else 0)
