"""Start: `make run` to its first answer, one command, and the test suite."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from benchmarks.harness import Bench, Figure, Spread

__all__ = ["run"]

_PROGRAM = str(Path(sys.executable).parent / "pgreprise")
_PATIENCE_SECONDS = 120


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _first_answer(data: Path) -> float:
    """Seconds from ``pgreprise up``, which is what `make run` runs, to the first 200."""
    port = _free_port()
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    began = time.perf_counter()
    process = subprocess.Popen(
        [_PROGRAM, "up", "--port", str(port)],
        env={**environment, "PGREPRISE_DATA": str(data)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while time.perf_counter() - began < _PATIENCE_SECONDS:
            with suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readiness-check").close()
                return time.perf_counter() - began
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
    raise TimeoutError("pgreprise up did not answer")


def _timed(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def run(bench: Bench) -> list[Figure]:
    """Seconds to start, everything installed."""
    rounds = 1 if bench.short else max(3, bench.rounds // 2)
    new, again, command = [], [], []
    for number in range(rounds):
        bench.progress(f"round {number + 1}")
        with tempfile.TemporaryDirectory(prefix="pgreprise-start-") as made:
            Path(made).chmod(0o755)
            new.append(_first_answer(Path(made)))
            again.append(_first_answer(Path(made)))
        command.append(_timed([_PROGRAM, "--version"]))
    figures = [
        Figure("start", "make run to the first answer, the first time (database made, migrated, sample loaded)",
               Spread.of(new), "s"),
        Figure("start", "make run to the first answer, later", Spread.of(again), "s"),
        Figure("start", "pgreprise --version", Spread.of(command), "s"),
    ]  # fmt: skip
    if not bench.short:
        bench.progress("the test suite, once")
        suite = _timed(["make", "test"])
        figures.append(Figure("start", "the test suite", Spread.of([suite]), "s"))
    return figures
