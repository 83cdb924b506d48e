"""GETs go to a read replica, and whoever has written finds what was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from pyapi.api.app import create_app
from pyapi.api.replica import POSITION_COOKIE, POSITION_HEADER, Replica, WritePosition
from pyapi.console import SignIn, register_console
from pyapi.database import connect_engine
from tests.support.console import Operator
from tests.support.databases import connect, rows
from tests.support.factories import add_report, add_simulation
from tests.support.replies import refused, succeeded
from tests.support.servers import Programs, Server, migrated_server, standby, wait_for_replay

pytestmark = pytest.mark.needs("time")


@pytest.fixture(scope="module")
def primary(programs: Programs, module_folder: Path) -> Iterator[Server]:
    """A migrated primary."""
    with migrated_server(programs, module_folder / "primary") as made:
        yield made


@pytest.fixture(scope="module")
def replica(primary: Server, module_folder: Path) -> Iterator[Server]:
    """A standby of the primary."""
    with standby(primary, module_folder / "replica") as made:
        yield made


@pytest.fixture
def held_back(primary: Server, replica: Server) -> Iterator[Callable[[], None]]:
    """Lets the replica stop replaying; in the end it has caught up."""
    yield lambda: replica.execute("select pg_wal_replay_pause()")
    with suppress(Exception):
        replica.execute("select pg_wal_replay_resume()")
        wait_for_replay(primary, replica)


@pytest.fixture
def new_api(primary: Server, replica: Server) -> Iterator[Callable[[], FlaskClient]]:
    """Makes APIs over the two servers, each as on a machine of its own."""
    engines = []

    def make() -> FlaskClient:
        writer = connect_engine(primary.url(), pool_size=2)
        reader = connect_engine(replica.url(), pool_size=2, wants_writer=False)
        engines.extend((writer, reader))
        console = partial(register_console, sign_in=SignIn(None))
        return create_app(writer, replica=Replica(reader, WritePosition()), console=console).test_client()

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture
def report(primary: Server, replica: Server) -> int:
    """A report that both servers have."""
    with connect(primary.url()) as connection:
        made = add_report(connection, add_simulation(connection, population_type="household"), status="complete",
                          output='{"a": 1}')  # fmt: skip
    wait_for_replay(primary, replica)
    return made


def calls_of(server: Server, routine: str) -> int:
    """How many sessions of the API called the routine last."""
    [row] = rows(
        server.url(),
        "select count(*) as calls from pg_stat_activity "
        "where application_name = 'pgreprise' and query like '%%' || %s || '(%%'",
        routine,
    )
    return int(row["calls"])


def test_gets_go_to_the_replica_and_writes_to_the_primary(
    new_api: Callable[[], FlaskClient], primary: Server, replica: Server, report: int
) -> None:
    api = new_api()
    succeeded(api.get(f"/us/report/{report}"))
    assert calls_of(replica, "get_report") == 1
    assert calls_of(primary, "get_report") == 0
    succeeded(api.post(f"/us/report/{report}/rerun"))
    wait_for_replay(primary, replica)
    assert succeeded(api.get(f"/us/report/{report}"))["run_sequence"] == 2
    assert calls_of(primary, "get_report") == 0


def test_who_has_written_reads_it_while_the_replica_is_behind(
    new_api: Callable[[], FlaskClient], held_back: Callable[[], None], primary: Server, report: int
) -> None:
    api = new_api()
    held_back()
    for run_sequence in (2, 3):
        written = api.post(f"/us/report/{report}/rerun")
        assert succeeded(written)["run_sequence"] == run_sequence
        assert succeeded(api.get(f"/us/report/{report}"))["run_sequence"] == run_sequence
    assert calls_of(primary, "get_report") == 1


def test_another_machine_reads_it_with_the_header_of_the_reply(
    new_api: Callable[[], FlaskClient], held_back: Callable[[], None], report: int
) -> None:
    here, there = new_api(), new_api()
    held_back()
    written = here.post(f"/us/report/{report}/rerun")
    assert succeeded(written)["run_sequence"] == 2
    brought = {POSITION_HEADER: written.headers[POSITION_HEADER]}
    assert succeeded(there.get(f"/us/report/{report}", headers=brought))["run_sequence"] == 2
    # Without it the other machine cannot know; so the test tells the two apart.
    assert succeeded(there.get(f"/us/report/{report}"))["run_sequence"] == 1


def test_an_operators_browser_brings_it_to_another_machine(
    new_api: Callable[[], FlaskClient], held_back: Callable[[], None], report: int
) -> None:
    here, there = Operator(new_api()), Operator(new_api())
    held_back()
    here.send(here.open(f"/console/reports/us/{report}/rerun").form("/rerun"), reason="asked for")
    place = f"/console/reports/us/{report}"
    assert "Run 2" in here.open(place).text
    # Without the cookie the other machine cannot know; so the test tells the two apart.
    assert "Run 2" not in there.open(place).text
    kept = here.client.get_cookie(POSITION_COOKIE, path="/console")
    assert kept is not None
    there.client.set_cookie(POSITION_COOKIE, kept.value, path="/console")
    assert "Run 2" in there.open(place).text


@pytest.mark.parametrize("brought", ["", "x", "-1", "9" * 30, "٤"])
def test_a_header_that_is_no_position_is_answered_by_the_primary(
    new_api: Callable[[], FlaskClient], held_back: Callable[[], None], report: int, brought: str
) -> None:
    here, there = new_api(), new_api()
    held_back()
    succeeded(here.post(f"/us/report/{report}/rerun"))
    headers = {POSITION_HEADER: brought.encode("utf-8").decode("latin-1")}
    assert succeeded(there.get(f"/us/report/{report}", headers=headers))["run_sequence"] == 2


def test_a_refused_write_that_changed_nothing_does_not_disturb_the_reads(
    new_api: Callable[[], FlaskClient], primary: Server, replica: Server, report: int
) -> None:
    api = new_api()
    refused(api.post(f"/us/report/{2**62}/rerun"), 404, "RR001")
    wait_for_replay(primary, replica)
    succeeded(api.get(f"/us/report/{report}"))
    assert calls_of(primary, "get_report") == 0


def test_a_row_that_the_replica_does_not_have_yet_is_found(
    new_api: Callable[[], FlaskClient], held_back: Callable[[], None], primary: Server
) -> None:
    api = new_api()
    held_back()
    # The application wrote it, so no position is noted.
    with connect(primary.url()) as connection:
        made = add_report(connection, add_simulation(connection, population_type="household"))
    assert succeeded(api.get(f"/us/report/{made}"))["id"] == made


def test_readiness_asks_the_primary(new_api: Callable[[], FlaskClient]) -> None:
    assert succeeded(new_api().get("/readiness-check"))["warnings"] == []


def test_without_its_replica_the_api_reads_from_the_primary_and_warns(
    new_api: Callable[[], FlaskClient], primary: Server, replica: Server, report: int
) -> None:
    api = new_api()
    replica.stop()
    try:
        for _ in range(5):
            succeeded(api.get(f"/us/report/{report}"))
        assert calls_of(primary, "get_report") == 1
        [warning] = succeeded(api.get("/readiness-check"))["warnings"]
        assert "PGREPRISE_READ_URL" in warning
    finally:
        replica.start()
    wait_for_replay(primary, replica)


def test_a_write_whose_position_is_not_known_is_read_from_the_primary(
    primary: Server, replica: Server, report: int
) -> None:
    position = WritePosition()
    unreachable = connect_engine(primary.url().set(port=1), pool_size=1)
    assert position.note(unreachable) is None
    writer, reader = connect_engine(primary.url()), connect_engine(replica.url(), wants_writer=False)
    api = create_app(writer, replica=Replica(reader, position)).test_client()
    succeeded(api.get(f"/us/report/{report}"))
    assert calls_of(replica, "get_report") == 0
    # The next write tells.
    assert position.note(writer) == position.current
    for engine in (unreachable, writer, reader):
        engine.dispose()


def test_the_position_of_one_process_is_known_to_the_others(primary: Server) -> None:
    shared = WritePosition()
    writer = connect_engine(primary.url(), pool_size=1)
    # As a worker process: the memory is shared, the slot is its own.
    worker = WritePosition()
    worker._slots = shared._slots
    worker.use_slot(7)
    noted = worker.note(writer)
    assert shared.current == noted
    writer.dispose()
