"""The production server: a stale explore report arrives before its refresh ends."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from tests.support.api import as_api
from tests.support.carbon import DAY, add_report, add_unit, updated_before
from tests.support.databases import Connect, Connection, plain
from tests.support.statements import one

pytestmark = pytest.mark.needs("time")

START_SECONDS = 30


@pytest.fixture
def log() -> list[str]:
    """What the server has printed."""
    return []


@pytest.fixture
def serving(database: URL, port: int, log: list[str]) -> Iterator[subprocess.Popen[str]]:
    """`pgreprise serve` on the test's database."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PGREPRISE_JWT")}
    process = subprocess.Popen(
        [sys.executable, "-m", "pyapi", "serve", "--port", str(port)],
        env={**kept, "DATABASE_URL": plain(as_api(database))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    ready = threading.Event()

    def follow() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            log.append(line)
            if "serves on" in line:
                ready.set()

    reader = threading.Thread(target=follow)
    reader.start()
    try:
        assert ready.wait(START_SECONDS), "".join(log)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        reader.join()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def address(serving: subprocess.Popen[str], port: int) -> str:
    """The address of the server."""
    assert serving.poll() is None
    return f"http://127.0.0.1:{port}"


def workers(server: subprocess.Popen[str]) -> list[int]:
    """The processes that answer requests."""
    listed = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text(encoding="ascii")
    return [int(number) for number in listed.split()]


def get(address: str, unit: int) -> dict[str, Any]:
    url = f"{address}/api/v1/carbon-reports/simulator/explore/unit/{unit}/reference-year/2025/"
    with urllib.request.urlopen(url, timeout=START_SECONDS) as response:
        found: dict[str, Any] = json.load(response)
        return found


def until(connection: Connection, question: str, *values: Any) -> None:
    """Wait until a question is answered with yes."""
    while not one(connection, question, *values)["answer"]:
        time.sleep(0.01)


REFRESHING = (
    "select exists (select from pg_stat_activity where query like '%%refresh_explore_report%%' "
    "and pid <> pg_backend_pid() and cardinality(pg_blocking_pids(pid)) > 0) as answer"
)


def test_a_stale_report_arrives_while_its_refresh_still_waits(
    address: str, dba: Connection, connect: Connect, log: list[str]
) -> None:
    unit = add_unit(dba)
    stale = add_report(dba, unit, 2025, "Simulator_Explore")
    updated_before(dba, stale, DAY + 1)
    # A writer holds the report, so the refresh has to wait; it does so on a connection of its own.
    writer = connect(autocommit=False)
    writer.execute("select from public.carbon_reports for update")
    assert get(address, unit)["id"] == stale
    until(dba, REFRESHING)
    # Other requests are served meanwhile.
    assert get(address, unit)["id"] == stale
    writer.rollback()
    until(dba, "select not exists (select from public.carbon_reports where id = %s) as answer", stale)
    assert get(address, unit)["id"] != stale
    assert not re.search("Traceback|failed", "".join(log))


class Connected:
    """One connection to the server, which is kept for several requests."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=START_SECONDS)
        self._connection.connect()
        self._socket = self._connection.sock
        self.close = self._connection.close

    def get(self, unit: int) -> int:
        """The id of the unit's explore report."""
        self._connection.request("GET", f"/api/v1/carbon-reports/simulator/explore/unit/{unit}/reference-year/2025/")
        response = self._connection.getresponse()
        found: int = json.load(response)["id"]
        # The server has not closed it meanwhile.
        assert self._connection.sock is self._socket
        return found


def test_the_next_request_on_a_connection_does_not_wait_for_the_refresh(
    address: str, dba: Connection, connect: Connect
) -> None:
    unit = add_unit(dba)
    stale = add_report(dba, unit, 2025, "Simulator_Explore")
    updated_before(dba, stale, DAY + 1)
    writer = connect(autocommit=False)
    writer.execute("select from public.carbon_reports for update")
    with closing(Connected(address)) as connected:
        assert connected.get(unit) == stale
        until(dba, REFRESHING)
        # The refresh waits for the writer, and nobody waits for the refresh.
        for _ in range(3):
            assert connected.get(unit) == stale
            assert one(dba, REFRESHING)["answer"]
        writer.rollback()
        until(dba, "select not exists (select from public.carbon_reports where id = %s) as answer", stale)
        assert connected.get(unit) != stale
    assert one(dba, "select count(*) as reports from public.carbon_reports")["reports"] == 1


def test_the_next_reader_refreshes_what_a_killed_worker_was_to_refresh(
    serving: subprocess.Popen[str], address: str, dba: Connection, connect: Connect, log: list[str]
) -> None:
    unit = add_unit(dba)
    stale = add_report(dba, unit, 2025, "Simulator_Explore")
    updated_before(dba, stale, DAY + 1)
    writer = connect(autocommit=False)
    writer.execute("select from public.carbon_reports for update")
    assert get(address, unit)["id"] == stale
    until(dba, REFRESHING)
    for worker in workers(serving):
        os.kill(worker, signal.SIGKILL)
    # PostgreSQL notices that the client is gone when it wants to answer it.
    dba.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where query like '%%refresh_explore_report%%' "
        "and pid <> pg_backend_pid()"
    )
    writer.rollback()
    # Another worker answers, and does what the first could not.
    assert get(address, unit)["id"] == stale
    until(dba, "select not exists (select from public.carbon_reports where id = %s) as answer", stale)
    assert one(dba, "select count(*) as reports from public.carbon_reports")["reports"] == 1
    assert "failed" not in "".join(log)


def test_a_refresh_that_fails_is_in_the_servers_log_and_the_server_goes_on(
    address: str, dba: Connection, log: list[str]
) -> None:
    unit = add_unit(dba)
    stale = add_report(dba, unit, 2025, "Simulator_Explore", last_updated=None)
    dba.execute("create table public.bookmark (report_id bigint references public.carbon_reports (id))")
    dba.execute("insert into public.bookmark values (%s)", (stale,))
    assert get(address, unit)["id"] == stale
    while f"The refresh of explore report #{stale} of unit #{unit} failed." not in "".join(log):
        time.sleep(0.01)
    assert get(address, unit)["id"] == stale
