"""Someone copies the worker that the documentation shows, and starts it."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.support.claims import status_of
from tests.support.command import Run, environment
from tests.support.databases import Connection, plain
from tests.support.factories import add_economy_report, set_versions
from tests.support.projects import PROJECT
from tests.support.statements import one, rerun
from tests.support.workers import until

PAGE = PROJECT / "docs" / "how-to" / "compute-pending-reports.md"
# What a test changes in it.
PARTS = {
    "compute": 'return {"computed": simulation["simulation_id"] if simulation else claim["report_id"]}',
    "seconds": "seconds=20",
}
Start = Callable[..., "subprocess.Popen[str]"]


def shown() -> str:
    """The program on the page."""
    [program] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return str(program)


@pytest.fixture
def report(dba: Connection) -> int:
    """An economy report that waits with both simulations."""
    set_versions(dba)
    made, _, _ = add_economy_report(dba)
    rerun(dba, made)
    return made


@pytest.fixture
def start(database: URL, tmp_path: Path) -> Iterator[Start]:
    """Starts the worker, as a login that may only work; ``changed`` replaces parts of its text."""
    started: list[subprocess.Popen[str]] = []

    def begin(**changed: str) -> subprocess.Popen[str]:
        program = shown()
        for name, text in changed.items():
            assert PARTS[name] in program
            program = program.replace(PARTS[name], text)
        made = tmp_path / "worker.py"
        made.write_text(program)
        url = database.update_query_dict({"options": "-c role=pgreprise_worker"})
        process = subprocess.Popen(
            [sys.executable, made],
            env=environment(DATABASE_URL=plain(url), HERE=str(tmp_path), PYTHONUNBUFFERED="1"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        assert "Traceback" not in process.communicate(timeout=60)[1]


def test_it_is_about_forty_lines() -> None:
    lines = [line for line in shown().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert len(lines) <= 50


def test_it_computes_what_is_pending(start: Start, dba: Connection, report: int) -> None:
    start()
    until(lambda: status_of(dba, "report_outputs", report) == "complete")
    assert one(dba, "select output from report_outputs")["output"] == {"computed": report}
    assert {row["output"]["computed"] for row in dba.execute("select output from simulations")} == {1, 2}
    rerun(dba, report)
    until(lambda: status_of(dba, "report_outputs", report) == "complete")
    assert one(dba, "select worker, ended_as from report_attempts(%s)", report) == {
        "worker": "worker 2",
        "ended_as": "complete",
    }


def test_a_report_that_it_cannot_compute_says_why(start: Start, dba: Connection, report: int) -> None:
    start(compute="raise ValueError('no data')")
    until(lambda: status_of(dba, "report_outputs", report) == "error")
    assert one(dba, "select error_message from report_outputs")["error_message"] == "no data"


def test_it_gives_a_cancelled_run_back(
    start: Start, pgreprise: Run, dba: Connection, report: int, tmp_path: Path
) -> None:
    waits = "while not os.path.exists(os.environ['HERE'] + '/go'): time.sleep(0.01)\n    return 1"
    start(compute=waits, seconds="seconds=0.1")
    until(lambda: status_of(dba, "report_outputs", report) == "running")
    beats = "select heartbeat_at > cancel_requested_at as has_heard from pgreprise.claim"
    assert pgreprise("cancel-run", "us", str(report)).returncode == 0
    until(lambda: one(dba, beats)["has_heard"])
    # It has the answer a moment later.
    time.sleep(0.2)
    (tmp_path / "go").touch()
    until(lambda: status_of(dba, "report_outputs", report) == "error")
    assert one(dba, "select error_message from report_outputs")["error_message"] == "The run was cancelled."
