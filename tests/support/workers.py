"""Workers of ``pgreprise work``, as processes, and commands for them that do as they are told."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.support.command import PROGRAM, environment
from tests.support.databases import plain

__all__ = ["WAITS", "WHOLE", "Worker", "begun", "is_gone", "started", "until", "write_command"]

Worker = subprocess.Popen[str]

# Prints a result of all that is to be computed.
WHOLE = (
    "print(json.dumps({'simulations': {s['simulation_id']: 1 for s in work['simulations'] if s['computes']},"
    " 'report': 2}))"
)
# Tells that it has begun, with the process of itself and of a child, and waits.
WAITS = (
    "child = subprocess.Popen(['sleep', '600'])\n"
    "(here / 'new').write_text(f'{os.getpid()} {child.pid}')\n"
    "(here / 'new').rename(here / 'begun')\n"
    f"wait_for('go')\n{WHOLE}"
)


def write_command(folder: Path, lines: str) -> str:
    """Make a command of lines of Python. It has ``work``, ``here`` and ``wait_for``, which waits for files."""
    made = folder / "compute.py"
    made.write_text(
        "import json, os, pathlib, signal, subprocess, sys, time\n"
        f"here = pathlib.Path({str(folder)!r})\n"
        "def wait_for(*names):\n"
        "    while not all((here / str(name)).exists() for name in names): time.sleep(0.01)\n"
        "work = json.load(sys.stdin)\n"
        f"{lines}\n"
    )
    return f"{sys.executable} {made}"


@contextmanager
def started() -> Iterator[Callable[..., Worker]]:
    """Starts workers on a database; those that are left running are ended with the block."""
    workers: list[Worker] = []

    def start(database: URL, command: str, *options: str) -> Worker:
        worker = subprocess.Popen(
            [PROGRAM, "work", "--command", command, "--poll", "0.05s", *options],
            env=environment(DATABASE_URL=plain(database)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        workers.append(worker)
        return worker

    try:
        yield start
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.terminate()
            worker.communicate(timeout=60)


def until(condition: Callable[[], object]) -> None:
    """Wait for what a process does."""
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("it does not happen")


def begun(folder: Path) -> list[int]:
    """Wait until a command that WAITS has begun; its process and its child's."""
    until((folder / "begun").exists)
    return [int(number) for number in (folder / "begun").read_text().split()]


def is_gone(process: int) -> bool:
    """Whether a process has ended."""
    status = Path(f"/proc/{process}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"
