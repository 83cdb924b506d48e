"""An operator upgrades a running service: the old API with the new routines, and the new API with the old ones."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.support.command import environment
from tests.support.databases import Connection, plain
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.ports import unused_port
from tests.support.projects import PROJECT
from tests.support.statements import one

pytestmark = pytest.mark.needs("time")

Start = Callable[[Path], str]
INSTALLED = "select pgreprise.status() -> 'routines' -> 'reports/get_report' as version"


def run(project: Path, *arguments: str, **settings: str) -> str:
    """What the command of a checkout prints."""
    done = subprocess.run(
        [sys.executable, "-m", "pyapi", *arguments],
        cwd=project,
        env=environment(**settings),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The next version of pgreprise: get_report has one more argument."""
    project = tmp_path_factory.mktemp("newer") / "pgreprise"
    kept = ("pyapi", "sql", "migrations", "docs")
    for name in kept:
        shutil.copytree(PROJECT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    run(project, "routine", "release")
    run(project, "routine", "new", "get_report")
    [live] = (project / "sql" / "reports").glob("*/get_report.sql")
    text = live.read_text(encoding="utf-8")
    changed = text.replace("country_id text default null", "country_id text default null, note text default null")
    changed = changed.replace("get_report(bigint, text, text[])", "get_report(bigint, text, text, text[])")
    assert changed.count("note text") == 1
    live.write_text(changed, encoding="utf-8")
    return project


@pytest.fixture
def serve(database: URL) -> Iterator[Start]:
    """Serves the API of a checkout; returns its address."""
    started: list[subprocess.Popen[str]] = []

    def start(project: Path) -> str:
        port = unused_port()
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "pyapi", "serve", "--port", str(port)],
                cwd=project,
                env=environment(DATABASE_URL=plain(database)),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        )
        stdout = started[-1].stdout
        assert stdout is not None
        assert "serves on" in stdout.readline()
        return f"http://127.0.0.1:{port}"

    yield start
    for process in started:
        process.terminate()
        process.communicate(timeout=60)


def answer(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=30) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Traffic:
    """Somebody who asks for a report again and again, also while something else happens."""

    def __init__(self, url: str) -> None:
        self.statuses: list[int] = []
        self._url = url
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        while not self._is_over.is_set():
            self.statuses.append(answer(self._url)[0])

    def wait_for(self, more: int) -> None:
        wanted = len(self.statuses) + more
        while len(self.statuses) < wanted:
            time.sleep(0.01)

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()


@pytest.fixture
def report(dba: Connection) -> int:
    set_versions(dba)
    return add_report(dba, add_simulation(dba, population_type="household"))


def test_the_old_api_goes_on_while_a_newer_version_migrates_and_afterwards(
    newer: Path, serve: Start, database: URL, dba: Connection, report: int
) -> None:
    old = serve(PROJECT)
    with Traffic(f"{old}/us/report/{report}") as traffic:
        traffic.wait_for(20)
        run(newer, "migrate", DATABASE_URL=plain(database))
        assert one(dba, INSTALLED)["version"] == 2
        traffic.wait_for(20)
    assert set(traffic.statuses) == {200}
    status, said = answer(f"{old}/readiness-check")
    assert (status, json.loads(said)["message"]) == (200, "Ready")


def test_the_new_api_is_not_ready_before_the_migration_says_why_and_needs_no_restart(
    newer: Path, serve: Start, database: URL, report: int
) -> None:
    new = serve(newer)
    status, said = answer(f"{new}/readiness-check")
    assert status == 503
    assert "migration reports_0010 is not installed" in said
    assert "routine reports/get_report has version 1, but version 2 is needed" in said
    # What did not change is answered all the same.
    assert answer(f"{new}/us/report/{report}")[0] == 200

    run(newer, "migrate", DATABASE_URL=plain(database))
    assert answer(f"{new}/readiness-check")[0] == 200
    assert answer(f"{new}/us/report/{report}")[0] == 200
