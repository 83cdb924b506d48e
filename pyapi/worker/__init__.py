"""A worker: it claims pending reports, lets a command compute each, and stores what the command prints.

All that it knows is in its claims. Each call is a statement of its own, so a transaction pooler, a failover or a
restart of the server in between changes nothing: while the database is away it tries again, and the commands go on.
"""

from __future__ import annotations

import json
import os
import random
import select
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pyapi.database import call, is_passing
from pyapi.pool import driver_of, is_behind_pooler
from pyapi.schema.causes import Cause, cause_of, host_message
from pyapi.wording import duration
from pyapi.worker.commands import Command, News
from pyapi.worker.results import Result, ResultError

__all__ = ["Terms", "Worker"]

# The exit code of a command that could not compute now, and may later (EX_TEMPFAIL of sysexits.h).
_LATER = 75
# SIGTERM and SIGINT, also where a shell says so.
_STOPPED = (-15, -2, 128 + 15, 128 + 2)
# How soon a worker notices what a command does, and that it is to stop.
_TICK_SECONDS = 0.1
# How often at most it tells what a command has said, besides the heartbeats.
_NEWS_SECONDS = 1.0
# A service manager ends a command and its worker at once. So long the worker waits for its own signal.
_OWN_SIGNAL_SECONDS = 1.0
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 15.0
_CHANNEL = "pgreprise_pending"
# The report is somebody else's now: the claim is over, the report was deleted, rerun or written without the claim.
_OVER = ("RR001", "RR011", "RR020", "RR027")
# What this role may not do, or this database does not have. No report is to blame.
_OF_THE_WORKER = ("42", "3F", "RR008", "RR017", "0A")


@dataclass(frozen=True)
class Terms:
    """How a worker works: its command, which reports it claims, and for how long.

    name: for people. jobs: how many reports at once. poll_seconds: how often it looks for pending reports.
    once: it ends when there is nothing to claim. retry_after: when a report is tried again whose command has said so.
    grace_seconds: how long a command that is to end may take to do so. largest_result: the bytes of one document.
    """

    command: Sequence[str]
    name: str
    country_id: str | None = None
    report_type: str | None = None
    lease: timedelta = timedelta(seconds=60)
    jobs: int = 1
    poll_seconds: float = 1.0
    once: bool = False
    retry_after: timedelta = timedelta(seconds=60)
    grace_seconds: float = 10.0
    largest_result: int = 32 * 1024 * 1024


class _Ended(NamedTuple):
    """What became of a report, and why, for people."""

    what: str
    why: str = ""


class _OverError(Exception):
    """The claim is over. The message says why."""


class _RefusedError(Exception):
    """A result cannot be stored. The message says why."""


class _Bell:
    """Wakes one thread. Also a signal handler may ring it."""

    def __init__(self) -> None:
        self._ear, self._rope = os.pipe()
        for end in (self._ear, self._rope):
            os.set_blocking(end, False)

    def ring(self) -> None:
        # It rings already where the pipe is full.
        with suppress(BlockingIOError):
            os.write(self._rope, b"!")

    def wait(self, seconds: float) -> None:
        """Wait until it rings, at most so long."""
        select.select([self._ear], [], [], seconds)
        with suppress(BlockingIOError):
            os.read(self._ear, 4096)

    def close(self) -> None:
        os.close(self._ear)
        os.close(self._rope)


class Worker:
    """Works until it is asked to stop, or once. ``say`` prints a line for people."""

    def __init__(self, engine: Engine, terms: Terms, say: Callable[[str], None]) -> None:
        self._engine = engine
        self._terms = terms
        self._print = say
        self._bell = _Bell()
        self._stopped_at: float | None = None
        self._broken_by: Exception | None = None
        self._jobs: list[threading.Thread] = []
        # The claims whose jobs are at work.
        self._held: set[Any] = set()
        self.failed = 0

    def close(self) -> None:
        """Close it, when nobody stops it any more."""
        self._bell.close()

    def stop(self) -> None:
        """Claim nothing more, end the commands and give their reports back. A signal handler may call it."""
        if self._stopped_at is None:
            self._stopped_at = time.monotonic()
        self._bell.ring()

    def work(self) -> None:
        """Work. Raises DBAPIError for what the database refuses for good, OSError where the command cannot be started.

        The reports are given back before.
        """
        listener = threading.Thread(target=self._listen, name="pgreprise-listen", daemon=True)
        listener.start()
        try:
            self._claim_until_stopped()
        except Exception as error:
            self._broken_by = self._broken_by or error
        finally:
            if self._broken_by is not None or not self._terms.once:
                self.stop()
            for job in self._jobs:
                job.join()
            self.stop()
            listener.join()
        if self._broken_by is not None:
            raise self._broken_by

    def _claim_until_stopped(self) -> None:
        while self._stopped_at is None:
            self._jobs = [job for job in self._jobs if job.is_alive()]
            free = self._terms.jobs - len(self._held)
            for claim in self._claim(free) if free else []:
                self._held.add(claim["claim_id"])
                job = threading.Thread(target=self._do, args=(claim,), name=f"pgreprise-report-{claim['report_id']}")
                self._jobs.append(job)
                job.start()
            if self._terms.once and not self._held:
                return
            # Workers that were started together do not all look at the same moment.
            self._bell.wait(self._terms.poll_seconds * (0.75 + random.random() / 2))

    def _claim(self, free: int) -> list[dict[str, Any]]:
        terms = self._terms
        try:
            # The number is sent as text: it would be sent as a bigint, and the parameter is an integer.
            return self._patiently(
                "public.claim_report",
                worker=terms.name,
                lease=terms.lease,
                country_id=terms.country_id,
                report_type=terms.report_type,
                max_reports=str(free),
            )
        except DBAPIError as error:
            if self._stopped_at is not None and is_passing(error):
                return []
            raise

    # --- one report --------------------------------------------------------------------------

    def _do(self, claim: dict[str, Any]) -> None:
        """Compute a report that was claimed, and say what became of it."""
        report = f"Report #{claim['report_id']} of {claim['country_id']}, run {claim['run_sequence']}"
        self._say(f"{report}, attempt {claim['attempt']}: claimed.")
        began = time.monotonic()
        try:
            ended = self._compute(claim)
        except _OverError as over:
            # Where it was cancelled it ends now, and not when its lease is over.
            self._release(claim)
            ended = _Ended("given up", str(over))
        except Exception as error:
            # Nothing is wrong with the report.
            self._broken_by = self._broken_by or error
            self._release(claim)
            self.stop()
            ended = _Ended("given back", "this worker cannot work")
        why = f": {_in_one_line(ended.why)}" if ended.why else "."
        self._say(f"{report}: {ended.what} after {duration(time.monotonic() - began)}{why}")
        self._held.discard(claim["claim_id"])
        self._bell.ring()

    def _say(self, line: str) -> None:
        try:
            self._print(line)
        except OSError as error:
            # Nobody reads it any more.
            self._broken_by = self._broken_by or error
            self.stop()

    def _compute(self, claim: dict[str, Any]) -> _Ended:
        """Compute a report. Returns what became of it. Raises _OverError, DBAPIError, OSError."""
        try:
            document = self._document(claim)
        except _RefusedError as error:
            return self._fail(claim, str(error))
        with Command(self._terms.command, document, self._terms.largest_result) as command:
            try:
                output = self._attend(claim, command)
            except _OverError:
                self._end(command)
                raise
            except (ResultError, _RefusedError) as error:
                self._end(command)
                return self._fail(claim, str(error))
            if command.code in _STOPPED:
                self._pause(_OWN_SIGNAL_SECONDS)
            if self._stopped_at is not None and (command.code != 0 or output is None):
                self._release(claim)
                return _Ended("given back")
            said = f": {command.last_lines}" if command.last_lines else "."
            match command.code:
                case 0 if output is not None:
                    return self._finish(claim, output)
                case 0:
                    return self._fail(claim, "The command printed no result of the report.")
                case code if code == _LATER:
                    return self._fail(claim, f"The command could not compute it now{said}", self._terms.retry_after)
                case int() as code if code < 0:
                    return self._fail(claim, f"The command was ended by signal {-code}{said}")
                case code:
                    return self._fail(claim, f"The command ended with exit code {code}{said}")

    def _document(self, claim: dict[str, Any]) -> bytes:
        """What a command reads: the claim, and the outputs of the simulations that are computed already."""
        simulations = []
        for simulation in claim["simulations"]:
            texts = {name: json.dumps(value) for name, value in simulation.items()}
            if not simulation["computes"]:
                for stored in self._write("public.get_simulation", simulation_id=simulation["simulation_id"]):
                    texts |= {
                        "output": stored["output"] or "null",
                        "error_message": json.dumps(stored["error_message"]),
                    }
            simulations.append(_object(texts))
        names = ("claim_id", "report_id", "country_id", "run_sequence", "attempt", "report_type", "year", "region")
        texts = {name: json.dumps(claim[name], default=str) for name in names}
        texts["report_spec_json"] = claim["report_spec_json"] or "null"
        texts["simulations"] = f"[{', '.join(simulations)}]"
        return f"{_object(texts)}\n".encode()

    def _attend(self, claim: dict[str, Any], command: Command) -> str | None:
        """Be with a command until it has ended; store the simulations that it finishes. Returns the report's output.

        Raises _OverError, ResultError, _RefusedError and DBAPIError.
        """
        every = self._terms.lease.total_seconds() / 3
        told = News()
        told_at = time.monotonic()
        output: str | None = None
        seen: set[int | None] = set()
        while command.code is None:
            for result in command.look(_TICK_SECONDS):
                if result.simulation_id in seen:
                    raise ResultError("The command printed two results of the same.")
                seen.add(result.simulation_id)
                if result.simulation_id is None:
                    output = result.output
                else:
                    self._finish_simulation(claim, result)
            if self._stopped_at is not None:
                command.stop(self._terms.grace_seconds)
            waited = time.monotonic() - told_at
            if command.code is None and (waited > every or (waited > _NEWS_SECONDS and command.news != told)):
                told_at = time.monotonic()
                told = command.news
                self._beat(claim, told)
        return output

    def _beat(self, claim: dict[str, Any], news: News) -> None:
        """Tell that the worker is alive. While the database is away the next heartbeat comes all the same."""
        try:
            [lease] = self._write(
                "public.heartbeat_claim",
                is_patient=False,
                claim_id=claim["claim_id"],
                # As text: a number would be sent as a double, and the parameter is a real.
                progress=None if news.progress is None else str(news.progress),
                message=news.message,
            )
        except DBAPIError as error:
            if not is_passing(error):
                raise
        else:
            if lease["cancel_requested"]:
                raise _OverError("it is cancelled.")

    def _end(self, command: Command) -> None:
        """End a command, and wait until it has ended."""
        command.discard()
        command.stop(self._terms.grace_seconds)
        while command.code is None:
            command.look(_TICK_SECONDS)

    # --- what is stored ----------------------------------------------------------------------

    def _finish_simulation(self, claim: dict[str, Any], result: Result) -> None:
        given = {"claim_id": claim["claim_id"], "simulation_id": result.simulation_id}
        if result.output is None:
            self._write("public.fail_simulation", **given, error_message=result.error_message)
        else:
            self._write("public.finish_simulation", **given, output=result.output)

    def _finish(self, claim: dict[str, Any], output: str) -> _Ended:
        try:
            self._write("public.finish_report", claim_id=claim["claim_id"], output=output)
        except _RefusedError as error:
            return self._fail(claim, str(error))
        return _Ended("complete")

    def _fail(self, claim: dict[str, Any], message: str, retry_after: timedelta | None = None) -> _Ended:
        try:
            self._write(
                "public.fail_report", claim_id=claim["claim_id"], error_message=message, retry_after=retry_after
            )
        except _RefusedError as error:
            # At once it would come back here. When its lease is over it counts as lost, and that has an end.
            return _Ended("left alone", f"{_in_one_line(message)} {error}")
        if retry_after is not None:
            return _Ended("put off", message)
        self.failed += 1
        return _Ended("failed", message)

    def _release(self, claim: dict[str, Any]) -> None:
        """Give a report back. Where that cannot be, its lease will be over."""
        with suppress(DBAPIError):
            self._patiently("public.release_claim", claim_id=claim["claim_id"])

    def _write(self, routine: str, *, is_patient: bool = True, **arguments: Any) -> list[dict[str, Any]]:
        """Call a routine for a claim.

        Raises _OverError where the claim is over, _RefusedError for other refusals, and DBAPIError where this worker
        cannot work.
        """
        try:
            if is_patient:
                return self._patiently(routine, **arguments)
            return call(self._engine, routine, **arguments)
        except DBAPIError as error:
            refusal = error.orig
            if not isinstance(refusal, psycopg.Error) or is_passing(error):
                raise
            code = refusal.sqlstate or ""
            said = host_message(refusal) or str(refusal)
            if code in _OVER:
                raise _OverError(said) from error
            if code.startswith(_OF_THE_WORKER) and cause_of(refusal) != Cause.HOST_RULE:
                raise
            raise _RefusedError(f"{said} ({code})" if code else said) from error

    def _patiently(self, routine: str, **arguments: Any) -> list[dict[str, Any]]:
        """Call a routine, and again while the database is away; where the worker is to stop, for a while only.

        Each of these calls may be repeated; a report whose claim was lost with the answer waits for the end of its
        lease. Raises DBAPIError.
        """
        failures = 0
        while True:
            try:
                return call(self._engine, routine, **arguments)
            except DBAPIError as error:
                is_late = self._stopped_at is not None and (
                    time.monotonic() > self._stopped_at + self._terms.grace_seconds
                )
                if not is_passing(error) or is_late:
                    raise
                pause = min(_FIRST_PAUSE_SECONDS * 2 ** min(failures, 10), _LONGEST_PAUSE_SECONDS)
                failures += 1
                self._say(f"The database: {_in_one_line(str(error.orig))} Trying again in {pause:.1f} s.")
                self._pause(pause * (0.5 + random.random() / 2))
                if self._stopped_at is not None:
                    time.sleep(_TICK_SECONDS)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and self._stopped_at is None:
            time.sleep(min(left, _TICK_SECONDS))

    # --- hints -------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Look at once when somebody says that reports are pending. That is only a hint, and works where it can."""
        while self._stopped_at is None:
            try:
                settings = {row["name"]: row["value"] for row in call(self._engine, "public.settings")}
                if settings["notify_workers"] != "on":
                    return
                with self._engine.connect() as connection:
                    if is_behind_pooler(connection):
                        return
                    try:
                        self._ring_at_each_hint(driver_of(connection))
                    finally:
                        # The session would go on listening.
                        connection.invalidate()
            except DBAPIError as error:
                if not is_passing(error):
                    # It works without hints, too.
                    return
            except psycopg.Error:
                pass
            self._pause(_LONGEST_PAUSE_SECONDS)

    def _ring_at_each_hint(self, driver: psycopg.Connection[Any]) -> None:
        driver.execute(f"listen {_CHANNEL}", prepare=False)
        while self._stopped_at is None:
            for _ in driver.notifies(timeout=_TICK_SECONDS * 5, stop_after=1):
                self._bell.ring()


def _object(texts: dict[str, str]) -> str:
    """A JSON object, from the texts of its values."""
    return f"{{{', '.join(f'{json.dumps(name)}: {text}' for name, text in texts.items())}}}"


def _in_one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if line.endswith(".") else f"{line}."
