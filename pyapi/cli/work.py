"""The command that computes pending reports: it lets a program of the user compute each."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import click

from pyapi.cli.connections import administrator_url, read_settings
from pyapi.cli.options import DURATION
from pyapi.cli.output import echo
from pyapi.database import connect_engine
from pyapi.worker import Terms, Worker

__all__ = ["COMMANDS"]

_MEBIBYTE = 1024 * 1024


def _words(command: str) -> list[str]:
    """The program and its arguments. Raises BadParameter where there is no such program."""
    hint = "--command"
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise click.BadParameter(f"{command!r} cannot be read: {error}.", param_hint=hint) from error
    if not words:
        raise click.BadParameter("it is empty.", param_hint=hint)
    if shutil.which(words[0]) is None:
        raise click.BadParameter(
            f"there is no program {words[0]!r}, or it may not be run. A path in this folder begins with ./, and what "
            "a shell is to read is given as: sh -c '...'.",
            param_hint=hint,
        )
    return words


@contextmanager
def _stopped_by_signals(worker: Worker) -> Iterator[None]:
    """Let SIGTERM, Ctrl-C and the end of the terminal stop the worker in order."""
    numbers = [number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
               if signal.getsignal(number) != signal.SIG_IGN]  # fmt: skip
    before = {number: signal.signal(number, lambda *_: worker.stop()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@click.command()
@click.option("--command", "command", metavar="COMMAND", required=True, help="Computes one report; see below.")
@click.option("--country", "country_id", metavar="ID", help="Claim reports of this country only.")
@click.option("--report-type", type=click.Choice(["household", "geography"]), help="Claim reports of this type only.")
@click.option("--lease", type=DURATION, default="60s", show_default=True,
              help="How long it may be silent before others get its reports.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Reports at once.")
@click.option("--once", is_flag=True, help="Stop when there is no report to claim. Exit code 1 when one failed.")
@click.option("--poll", type=DURATION, default="1s", show_default=True, help="How often to look for pending reports.")
@click.option("--name", metavar="TEXT", help="A name for people; by default the host and the number of the process.")
@click.option("--retry-after", type=DURATION, default="60s", show_default=True,
              help="When to try again after exit code 75 of the command.")  # fmt: skip
@click.option("--grace", type=DURATION, default="10s", show_default=True,
              help="How long a command that is to end may take, before it is killed.")  # fmt: skip
@click.option("--max-output", type=click.IntRange(1, 1024), default=32, show_default=True,
              help="MiB of one result that a command prints.")  # fmt: skip
def work(
    command: str,
    country_id: str | None,
    report_type: str | None,
    lease: timedelta,
    jobs: int,
    once: bool,
    poll: timedelta,
    name: str | None,
    retry_after: timedelta,
    grace: timedelta,
    max_output: int,
) -> None:
    """Claim pending reports and let COMMAND compute each: a program that prints the result.

    COMMAND reads the work as one JSON document on its standard input, and prints one on its standard output:
    {"simulations": {"5": OUTPUT}, "report": OUTPUT}, or a line {"simulation_id": 5, "output": OUTPUT} for each
    simulation, which is stored at once, and {"report": OUTPUT}. Lines on its standard error tell how far it is, as
    "progress 0.4 reading". Exit code 75 means: try again later.

    SIGTERM and Ctrl-C give the reports back at once. While the database is away the worker waits for it.
    """
    terms = Terms(
        command=_words(command),
        name=name or f"{socket.gethostname()}:{os.getpid()}",
        country_id=country_id,
        report_type=report_type,
        lease=lease,
        jobs=jobs,
        poll_seconds=poll.total_seconds(),
        once=once,
        retry_after=retry_after,
        grace_seconds=grace.total_seconds(),
        largest_result=max_output * _MEBIBYTE,
    )
    printing = threading.Lock()

    def say(line: str) -> None:
        with printing:
            echo(line)

    settings = read_settings()
    with administrator_url() as (url, _):
        engine = connect_engine(
            url,
            # One more that listens, and one for this thread.
            pool_size=jobs + 2,
            call_timeout_seconds=settings.call_timeout_seconds,
            is_pooled=settings.is_pooled,
        )
        worker = Worker(engine, terms, say)
        try:
            with _stopped_by_signals(worker):
                worker.work()
        finally:
            worker.close()
            engine.dispose()
    if once and worker.failed:
        raise SystemExit(1)


COMMANDS = (work,)
