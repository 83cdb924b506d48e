"""A worker of `pgreprise work` behind a pooler, and while its server restarts or is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from pyapi.settings import database_url
from tests.support.claims import claims
from tests.support.databases import Connection, connect
from tests.support.factories import add_economy_report, add_report, add_simulation, set_versions
from tests.support.servers import Programs, Server, migrated_server, standby, wait_for_replay
from tests.support.statements import one, rerun
from tests.support.workers import WAITS, WHOLE, Worker, begun, started, until, write_command

pytestmark = pytest.mark.needs("time")

Start = Callable[..., Worker]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts `pgreprise work` on a database with a command, as a process."""
    with started() as start_on:
        yield start_on


def statuses(url: URL) -> list[str]:
    with connect(url) as connection:
        found = connection.execute("select status from public.report_outputs order by id").fetchall()
    return [row["status"] for row in found]


# --- a pooler --------------------------------------------------------------------------------


@pytest.mark.needs("pgbouncer")
def test_several_jobs_share_the_one_server_connection_of_a_pooler(
    start: Start, pooled: URL, database: URL, dba: Connection, tmp_path: Path
) -> None:
    set_versions(dba)
    reports = [add_economy_report(dba)[0] for _ in range(6)]
    for report in reports:
        rerun(dba, report)
    worker = start(pooled, write_command(tmp_path, WHOLE), "--jobs", "3", "--once")
    _, err = worker.communicate(timeout=60)
    assert (worker.returncode, err) == (0, "")
    assert statuses(pooled.set(username=database.username)) == ["complete"] * 6
    found = dba.execute("select distinct attempt, ended_as, session_role from pgreprise.claim").fetchall()
    assert [tuple(row.values()) for row in found] == [(1, "complete", pooled.username)]


@pytest.mark.needs("pgbouncer")
def test_behind_a_pooler_no_session_is_left_listening(
    start: Start, pooled: URL, database: URL, dba: Connection, tmp_path: Path
) -> None:
    set_versions(dba)
    dba.execute("select set_setting('notify_workers', 'on')")
    report = add_report(dba, add_simulation(dba, population_type="household"))
    owner = pooled.set(username=database.username)
    start(owner, write_command(tmp_path, WHOLE))
    for _ in range(2):
        rerun(dba, report)
        until(lambda: statuses(database) == ["complete"])
    with connect(owner) as connection:
        assert connection.execute("select * from pg_listening_channels()").fetchall() == []


# --- a server that is away -------------------------------------------------------------------


@pytest.fixture
def primary(programs: Programs, server_folder: Path) -> Iterator[Server]:
    """A migrated server with an economy report, number 1, that waits with both simulations."""
    with migrated_server(programs, server_folder / "primary") as made:
        with connect(made.url()) as connection:
            set_versions(connection)
            add_economy_report(connection)
            rerun(connection, 1)
        yield made


def test_a_result_is_stored_when_the_server_is_back(start: Start, primary: Server, tmp_path: Path) -> None:
    worker = start(primary.url(), write_command(tmp_path, WAITS), "--lease", "1s", "--poll", "0.1s")
    begun(tmp_path)
    primary.stop()
    # It has heard that the server is away.
    assert worker.stdout is not None
    said = iter(worker.stdout.readline, "")
    assert next(said).endswith("claimed.\n")
    (tmp_path / "go").touch()
    assert next(said).startswith("The database: ")
    primary.start()
    until(lambda: statuses(primary.url()) == ["complete"])
    with connect(primary.url()) as connection:
        assert one(connection, "select attempt, ended_as from report_attempts(1)") == {
            "attempt": 1,
            "ended_as": "complete",
        }
        # And it goes on.
        rerun(connection, 1)
    until(lambda: statuses(primary.url()) == ["complete"])


def test_a_worker_that_stops_while_the_server_is_away_ends(start: Start, primary: Server, tmp_path: Path) -> None:
    worker = start(primary.url(), write_command(tmp_path, WAITS), "--lease", "1s", "--grace", "0.5s")
    begun(tmp_path)
    primary.stop()
    worker.terminate()
    assert worker.wait(timeout=60) == 0
    primary.start()
    with connect(primary.url()) as connection:
        until(lambda: claims(connection, "worker 2"))


def test_a_worker_goes_on_at_the_server_that_is_promoted(
    start: Start, primary: Server, server_folder: Path, tmp_path: Path
) -> None:
    with standby(primary, server_folder / "standby") as follower:
        both = database_url(f"postgresql://postgres@127.0.0.1:{primary.port},127.0.0.1:{follower.port}/postgres")
        start(both, write_command(tmp_path, WAITS), "--lease", "10s")
        begun(tmp_path)
        wait_for_replay(primary, follower)
        primary.stop()
        (tmp_path / "go").touch()
        follower.promote()
        until(lambda: statuses(follower.url()) == ["complete"])
