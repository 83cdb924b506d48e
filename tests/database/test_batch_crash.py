"""A batch is ended in the middle of a chunk, by the death of its client or of the server, and goes on."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from sqlalchemy import URL

from pyapi.embedded import embedded
from pyapi.schema import migrate
from pyapi.settings import Settings
from tests.support.concurrency import at_once, connections
from tests.support.databases import Connect, Connection, engine, folder_of_a_server, plain
from tests.support.databases import connect as connect_to
from tests.support.statements import one
from tests.support.worlds import (
    add_cache_rows,
    add_shared_reports,
    assert_batch_did_each_report_once,
    assert_history_is_whole,
    contents,
)

pytestmark = pytest.mark.needs("time")

REPORTS = 60
CHUNK = 10
# A client as an operator's: one call for all, or one call a chunk.
RUNNERS = {
    "one call": "connection.execute('call run_rerun_batch(%s::bigint, %s)', arguments)",
    "a call a chunk": "while connection.execute("
    "'select rerun_batch_chunk(%s::bigint, %s)', arguments).fetchone()[0]['reports']: pass",
}
CLIENT = """
import json, sys, psycopg
url, arguments = sys.argv[1], json.loads(sys.argv[2])
with psycopg.connect(url, autocommit=True, application_name='runner', options=sys.argv[3]) as connection:
    connection.execute("set lock_timeout = '60s'")
    connection.execute("set role pgreprise_dba")
    {work}
"""


@contextmanager
def runner(database: URL, batch_id: int, how: str, options: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A process that works through a batch."""
    arguments = [plain(database), json.dumps([batch_id, CHUNK]), options]
    program = CLIENT.format(work=RUNNERS[how])
    with subprocess.Popen([sys.executable, "-c", program, *arguments], stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(condition: Callable[[], Any]) -> None:
    """Wait for something that happens for certain, soon."""
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen within a minute")


def backends(watcher: Connection) -> list[int]:
    found = watcher.execute("select pid from pg_stat_activity where application_name = 'runner'").fetchall()
    return [row["pid"] for row in found]


def waits(watcher: Connection) -> bool:
    """A runner waits for a lock."""
    return any(
        one(watcher, "select cardinality(pg_blocking_pids(%s)) > 0 as waits", pid)["waits"] for pid in backends(watcher)
    )


def all_in_a_batch(connection: Connection, reports: list[int]) -> int:
    return int(one(connection, "select create_rerun_batch(%s::jsonb) as id", json.dumps({"ids": reports}))["id"])


def stop_in_the_third_chunk(blocker: Connection) -> None:
    """Hold a cache row that the third chunk deletes, after it wrote its reports.

    The first report with its key cannot be rerun, and the next one comes as the 23rd.
    """
    blocker.execute("begin")
    blocker.execute(
        "select from public.reform_impact "
        "where baseline_policy_id = 2 and reform_policy_id = 3 and dataset = 'default' for update"
    )


def done(connection: Connection, batch_id: int) -> tuple[int, int]:
    """How many reports a batch has rerun and how many are left."""
    batch = one(connection, "select rerun, remaining from rerun_batches(%s)", batch_id)
    return batch["rerun"], batch["remaining"]


def resume(database: URL, batch_id: int, how: str = "one call") -> None:
    with runner(database, batch_id, how) as process:
        _, said = process.communicate()
    assert process.returncode == 0, said.decode()


@pytest.fixture
def reports(dba: Connection) -> list[int]:
    """Sixty reports that share seven simulations."""
    return add_shared_reports(dba, REPORTS)


@pytest.fixture
def blocker(connect: Connect, reports: list[int]) -> Connection:  # noqa: ARG001
    """Who stops a batch of the reports in its third chunk."""
    connection = connect()
    stop_in_the_third_chunk(connection)
    return connection


@pytest.mark.parametrize("how", RUNNERS)
def test_a_client_that_is_killed_in_a_chunk_loses_that_chunk_only(
    dba: Connection, blocker: Connection, database: URL, reports: list[int], how: str
) -> None:
    before, batch_id = contents(dba), all_in_a_batch(dba, reports)
    # The server looks after its clients, and ends what a dead one asked for.
    with runner(database, batch_id, how, "-c client_connection_check_interval=50ms") as process:
        wait_until(lambda: waits(dba))
        started = done(dba, batch_id)
        assert started == (2 * CHUNK - 1, REPORTS - 2 * CHUNK)
        process.kill()
        process.wait()
        wait_until(lambda: not backends(dba))
    assert done(dba, batch_id) == started
    assert one(dba, "select count(*) from pgreprise.rerun")["count"] == started[0]
    blocker.execute("rollback")
    resume(database, batch_id, how)
    assert_batch_did_each_report_once(dba, batch_id, before)
    assert_history_is_whole(dba)


@pytest.mark.parametrize("how", RUNNERS)
def test_a_server_that_goes_on_for_a_killed_client_does_not_collide_with_the_next_runner(
    dba: Connection, blocker: Connection, database: URL, reports: list[int], how: str
) -> None:
    before, batch_id = contents(dba), all_in_a_batch(dba, reports)
    with runner(database, batch_id, how) as process:
        wait_until(lambda: waits(dba))
        process.kill()
        process.wait()
    with runner(database, batch_id, how) as second:
        wait_until(lambda: len(backends(dba)) == 2)
        wait_until(lambda: len([pid for pid in backends(dba) if blocked(dba, pid)]) == 2)
        blocker.execute("rollback")
        _, said = second.communicate()
    assert second.returncode == 0, said.decode()
    wait_until(lambda: not backends(dba))
    assert_batch_did_each_report_once(dba, batch_id, before)
    assert_history_is_whole(dba)


def blocked(watcher: Connection, pid: int) -> bool:
    return bool(one(watcher, "select cardinality(pg_blocking_pids(%s)) > 0 as waits", pid)["waits"])


@pytest.mark.parametrize("callers", [2, 4])
def test_runners_of_one_batch_at_once_share_the_work(
    dba: Connection, connect: Connect, reports: list[int], callers: int
) -> None:
    runners = connections(connect, callers)
    for number in range(8):
        before, batch_id = contents(dba), all_in_a_batch(dba, reports)

        def work(caller: int, batch_id: int = batch_id, size: int = 1 + number % 7) -> int:
            called = one(runners[caller], "call run_rerun_batch(%s::bigint, %s)", batch_id, size)
            return int(called["result"]["reports"])

        # The last one may find its chunk in another's hands and leave; nobody's report is done twice.
        assert sum(at_once(callers, work)) == REPORTS
        assert_batch_did_each_report_once(dba, batch_id, before)
        add_cache_rows(dba)
    assert_history_is_whole(dba)


# --- the server ------------------------------------------------------------------------------


class OwnServer:
    """A server that keeps what it has committed, for a test to crash."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.version = Settings.from_environment().postgres_version

    @contextmanager
    def running(self) -> Iterator[URL]:
        with embedded(self.folder, self.version, settings="fsync = on\nsynchronous_commit = on\n") as server:
            yield server.url(database="postgres")

    @property
    def postmaster(self) -> psutil.Process:
        lines = (self.folder / f"postgresql-{self.version}" / "postmaster.pid").read_text().splitlines()
        return psutil.Process(int(lines[0]))

    @property
    def is_running(self) -> bool:
        try:
            return self.postmaster.is_running()
        except (psutil.NoSuchProcess, FileNotFoundError):
            return False

    def kill(self, _: Connection) -> None:
        """As a power cut: no process has a chance to do anything more."""
        postmaster = self.postmaster
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            process.kill()
        psutil.wait_procs(processes)

    def kill_backend(self, watcher: Connection) -> None:
        """One process of the server dies, and the server begins anew by itself."""
        [pid] = backends(watcher)
        psutil.Process(pid).kill()

    def stop_at_once(self, _: Connection) -> None:
        """What `pg_ctl stop -m immediate` sends."""
        postmaster = self.postmaster
        postmaster.send_signal(3)
        postmaster.wait()


CRASHES: dict[str, Callable[[OwnServer, Connection], None]] = {
    "the server is killed": OwnServer.kill,
    "a backend is killed": OwnServer.kill_backend,
    "the server is stopped at once": OwnServer.stop_at_once,
}


@pytest.fixture(scope="module")
def own_server() -> Iterator[OwnServer]:
    """A server beside the one of the other tests."""
    with folder_of_a_server() as folder:
        server = OwnServer(Path(folder))
        with server.running() as url, psycopg.connect(plain(url), autocommit=True) as connection:
            connection.execute("create database crash")
            migrate.upgrade(engine(url.set(database="crash")))
        yield server


def answers(connection: Connection) -> bool:
    try:
        connection.execute("select")
    except psycopg.OperationalError:
        return False
    return True


def accepts_connections(url: URL) -> bool:
    try:
        connect_to(url).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.mark.needs("time")
@pytest.mark.parametrize("crash", CRASHES)
def test_a_batch_goes_on_after_a_crash_of_the_server_in_the_middle_of_a_chunk(
    own_server: OwnServer, crash: str
) -> None:
    with own_server.running() as server:
        url = server.set(database="crash")
        with closing(connect_to(url)) as connection, closing(connect_to(url)) as blocker:
            connection.execute(
                "truncate public.report_outputs, public.simulations, public.reform_impact, pgreprise.rerun, "
                "pgreprise.report_run, pgreprise.simulation_run, pgreprise.reform_impact_archive, "
                "pgreprise.rerun_batch, pgreprise.rerun_batch_item, pgreprise.rerun_batch_simulation, "
                "pgreprise.rerun_batch_cache_key restart identity"
            )
            batch_id = all_in_a_batch(connection, add_shared_reports(connection, REPORTS))
            before = contents(connection)
            stop_in_the_third_chunk(blocker)
            with runner(url, batch_id, "one call") as process:
                wait_until(lambda: waits(connection))
                CRASHES[crash](own_server, connection)
                _, said = process.communicate()
            assert process.returncode != 0, said.decode()
            # Every session has ended with it, this one too.
            wait_until(lambda: not answers(connection))
        if own_server.is_running:
            # It begins anew by itself, and is not to be stopped meanwhile.
            wait_until(lambda: accepts_connections(url))
    with own_server.running() as server:
        url = server.set(database="crash")
        wait_until(lambda: accepts_connections(url))
        with closing(connect_to(url)) as connection:
            assert done(connection, batch_id) == (2 * CHUNK - 1, REPORTS - 2 * CHUNK)
            resume(url, batch_id)
            assert_batch_did_each_report_once(connection, batch_id, before)
            assert_history_is_whole(connection)
