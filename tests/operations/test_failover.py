"""Two real servers: the primary is lost or becomes read only, and the standby is promoted."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import URL, Engine

from pyapi import pool
from pyapi.api.app import create_app
from pyapi.database import call, connect_engine
from pyapi.settings import database_url
from tests.support.command import run
from tests.support.databases import connect, plain
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.replies import refused, succeeded
from tests.support.servers import Programs, Server, migrated_server, standby, wait_for_replay

pytestmark = pytest.mark.needs("time")

ATTEMPTS, PAUSE_SECONDS = 100, 0.05


@pytest.fixture
def primary(programs: Programs, server_folder: Path) -> Iterator[Server]:
    """A migrated primary with one report, number 1."""
    with migrated_server(programs, server_folder / "primary") as made:
        with connect(made.url()) as connection:
            assert add_report(connection, add_simulation(connection, population_type="household")) == 1
        yield made


@pytest.fixture
def follower(primary: Server, server_folder: Path) -> Iterator[Server]:
    """A standby of the primary, which has replayed all that was written before."""
    with standby(primary, server_folder / "standby") as made:
        wait_for_replay(primary, made)
        yield made


def both(primary: Server, follower: Server) -> URL:
    """A URL that names both servers, as people write it."""
    return database_url(f"postgresql://postgres@127.0.0.1:{primary.port},127.0.0.1:{follower.port}/postgres")


@pytest.fixture
def over_both(primary: Server, follower: Server) -> Iterator[FlaskClient]:
    """An API over both servers."""
    made = connect_engine(both(primary, follower), pool_size=3)
    yield create_app(made).test_client()
    made.dispose()


def status(server: Server) -> Any:
    with connect(server.url()) as connection:
        row = connection.execute("select status from public.report_outputs where id = 1").fetchone()
    return row and row["status"]


def reruns(server: Server) -> int:
    with connect(server.url()) as connection:
        row = connection.execute("select count(*) as reruns from pgreprise.rerun").fetchone()
    assert row is not None
    return int(row["reruns"])


# --- failover ---------------------------------------------------------------------------------


def test_the_api_serves_again_after_the_standby_was_promoted(
    over_both: FlaskClient, primary: Server, follower: Server
) -> None:
    succeeded(over_both.get("/readiness-check"))
    succeeded(over_both.post("/us/report/1/rerun"))
    wait_for_replay(primary, follower)
    primary.stop()

    reply = refused(over_both.get("/readiness-check"), 503, "SERVICE_UNAVAILABLE")
    assert "cannot be reached" in reply["message"]
    refused(over_both.post("/us/report/1/rerun"), 503, "SERVICE_UNAVAILABLE")

    follower.promote()
    succeeded(over_both.get("/readiness-check"))
    assert succeeded(over_both.post("/us/report/1/rerun"))["run_sequence"] == 3


def test_a_server_that_became_read_only_is_left_at_the_first_write(
    over_both: FlaskClient, primary: Server, follower: Server
) -> None:
    succeeded(over_both.post("/us/report/1/rerun"))
    wait_for_replay(primary, follower)
    # Its connections stay open, as with a primary that was demoted in place.
    primary.execute("alter system set default_transaction_read_only = on")
    primary.execute("select pg_reload_conf()")
    follower.promote()
    for _ in range(ATTEMPTS):
        # A session hears of the setting a moment later, so the first ones may still be the old primary's.
        succeeded(over_both.post("/us/report/1/rerun"))
        if reruns(follower) > 1:
            break
    assert reruns(follower) == 2
    succeeded(over_both.get("/readiness-check"))


def test_readiness_is_refused_with_the_reason_while_the_server_is_read_only(primary: Server) -> None:
    made = connect_engine(primary.url(), pool_size=1)
    client = create_app(made).test_client()
    succeeded(client.get("/readiness-check"))
    primary.execute("alter system set default_transaction_read_only = on")
    primary.execute("select pg_reload_conf()")
    for _ in range(ATTEMPTS):
        reply = client.get("/readiness-check")
        if reply.status_code != 200:
            break
        time.sleep(PAUSE_SECONDS)
    assert "read only" in refused(reply, 503, "25006")["message"]
    assert "read only" in refused(client.post("/us/report/1/rerun"), 503, "25006")["message"]
    # What only reads goes on.
    succeeded(client.get("/us/report/1"))

    primary.execute("alter system reset default_transaction_read_only")
    primary.execute("select pg_reload_conf()")
    for _ in range(ATTEMPTS):
        reply = client.get("/readiness-check")
        if reply.status_code == 200:
            break
        time.sleep(PAUSE_SECONDS)
    succeeded(reply)
    made.dispose()


def test_connections_that_only_read_leave_a_server_that_became_read_only(
    over_both: FlaskClient, primary: Server, follower: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "CHECK_SECONDS", 0.0)
    succeeded(over_both.get("/us/report/1"))
    primary.execute("alter system set default_transaction_read_only = on")
    primary.execute("select pg_reload_conf()")
    follower.promote()
    follower.execute("set session_replication_role = replica; update public.report_outputs set status = 'error'")
    for _ in range(ATTEMPTS):
        if succeeded(over_both.get("/us/report/1"))["status"] == "error":
            break
        time.sleep(PAUSE_SECONDS)
    assert succeeded(over_both.get("/us/report/1"))["status"] == "error"


# --- connections that a firewall forgot -------------------------------------------------------


class Firewall:
    """Passes bytes on to a server, until it drops everything of the connections that it has: nobody is told."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._forgotten: set[socket.socket] = set()
        self._known: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                upstream = socket.create_connection(("127.0.0.1", self._server.port))
                self._known += [client, upstream]
                for source, target in ((client, upstream), (upstream, client)):
                    threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if source not in self._forgotten:
                    target.sendall(data)

    def forget(self) -> None:
        self._forgotten.update(self._known)

    def close(self) -> None:
        self._listener.close()
        for end in self._known:
            end.close()


def test_a_connection_that_a_firewall_dropped_while_idle_costs_no_request(
    primary: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "CHECK_SECONDS", 0.0)
    monkeypatch.setattr(pool, "ANSWER_SECONDS", 0.5)
    with closing(Firewall(primary)) as firewall:
        made = connect_engine(primary.url().set(port=firewall.port), pool_size=1)
        client = create_app(made).test_client()
        for act in (lambda: client.get("/us/report/1"), lambda: client.post("/us/report/1/rerun")):
            succeeded(act())
            firewall.forget()
            succeeded(act())
        made.dispose()


def test_the_operating_system_looks_after_idle_connections(primary: Server) -> None:
    made = connect_engine(primary.url(), pool_size=1)
    with made.connect() as connection, socket.socket(fileno=pool.driver_of(connection).fileno()) as raw:
        assert raw.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 15_000
        raw.detach()
    made.dispose()


# --- the command ------------------------------------------------------------------------------


def test_commands_that_read_work_on_a_standby_and_others_say_why_not(primary: Server, follower: Server) -> None:
    on_standby = plain(follower.url())
    for arguments in (
        ["status"], ["routine", "list"], ["runs", "us", "1"], ["preview", "us", "1"], ["batches"], ["defects"],
        ["lost"], ["cache-version", "show"], ["setting", "show"], ["purge", "--older-than", "30 days", "--dry-run"],
    ):  # fmt: skip
        done = run(*arguments, DATABASE_URL=on_standby)
        assert "Traceback" not in done.stderr
        assert done.returncode == 0, (arguments, done.stderr)
    found = json.loads(run("status", "--json", DATABASE_URL=on_standby).stdout)
    assert (found["is_read_only"], found["is_behind_pooler"], found["missing"]) == (True, False, [])
    for arguments in (["migrate"], ["rerun", "us", "1"], ["rerun-batch", "--country", "us"]):
        done = run(*arguments, DATABASE_URL=on_standby)
        assert "Traceback" not in done.stderr
        assert done.returncode != 0
        assert "read only" in done.stderr, (arguments, done.stderr)
    # With both servers in the URL the one that can be written to is found.
    assert run("rerun", "us", "1", DATABASE_URL=plain(both(follower, primary))).returncode == 0
    assert status(primary) == "pending"


def test_the_doctor_looks_at_a_standby_and_says_what_it_cannot(primary: Server, follower: Server) -> None:
    with connect(primary.url()) as connection:
        set_versions(connection)
        add_report(connection, 999)
        connection.execute("grant select on pgreprise.report_run to public")
    wait_for_replay(primary, follower)
    done = run("doctor", "--json", DATABASE_URL=plain(follower.url()))
    assert (done.returncode, done.stderr) == (1, "")
    found = [finding["message"] for finding in json.loads(done.stdout) if finding["check"] != "cache versions"]
    assert found[0] == (
        "The database is a standby, so the routines and the tables of pgreprise could not be compared with their files."
    )
    assert found[1] == "PUBLIC may select on pgreprise.report_run without calling a routine."
    assert found[2].startswith("1 report cannot be rerun (RR002)")
    assert len(found) == 3


def test_the_engine_of_a_reader_keeps_a_standby(follower: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "CHECK_SECONDS", 0.0)
    made: Engine = connect_engine(follower.url(), pool_size=1, wants_writer=False)
    processes = {call(made, "pg_catalog.pg_backend_pid")[0]["pg_backend_pid"] for _ in range(5)}
    assert len(processes) == 1
    made.dispose()
