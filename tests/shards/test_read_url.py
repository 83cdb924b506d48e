"""A read replica beside a router: nobody could tell whether it has what was written, so it is not used."""

from __future__ import annotations

import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from sqlalchemy import Engine

from pyapi.api.app import create_app
from pyapi.api.replica import Replica, WritePosition, router_among
from pyapi.database import connect_engine
from tests.support.command import run_here
from tests.support.databases import plain
from tests.support.fleets import Shards
from tests.support.ports import unused_port
from tests.support.replies import succeeded

pytestmark = pytest.mark.needs("plproxy")


@pytest.mark.parametrize("router", ["DATABASE_URL", "PGREPRISE_READ_URL"])
def test_the_api_does_not_start_with_a_read_replica_beside_a_router(shards: Shards, router: str) -> None:
    urls = {"DATABASE_URL": shards.url("a"), "PGREPRISE_READ_URL": shards.url("a"), router: shards.router}
    done = run_here(
        "serve", "--port", str(unused_port()),
        DATABASE_URL=plain(urls["DATABASE_URL"]), PGREPRISE_READ_URL=plain(urls["PGREPRISE_READ_URL"]),
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"Error: {router} is a router, whose log does not tell what its servers have written. "
        "Unset PGREPRISE_READ_URL; DATABASE_URL answers GETs then.\n"
    )


def test_requests_that_come_while_the_first_one_looks_for_a_router_wait_for_what_it_finds(
    monkeypatch: pytest.MonkeyPatch, shards: Shards
) -> None:
    looks, may_answer = threading.Event(), threading.Event()
    asked: list[Engine] = []

    def slowly(primary: Engine, replica: Engine) -> str | None:
        asked.append(primary)
        looks.set()
        assert may_answer.wait(60)
        return router_among(primary, replica)

    monkeypatch.setattr("pyapi.api.replica.router_among", slowly)
    router, server = connect_engine(shards.router), connect_engine(shards.url("a"), wants_writer=False)
    replica = Replica(server, WritePosition())
    try:
        with ThreadPoolExecutor(2) as pool, create_app(router).test_request_context():
            first = pool.submit(contextvars.copy_context().run, replica.call, router, "pgreprise.status")
            assert looks.wait(60)
            second = pool.submit(contextvars.copy_context().run, replica.call, router, "pgreprise.status")
            # It has no way to say that it waits. Without waiting it would have answered by now.
            done, _ = wait([second], timeout=0.5)
            may_answer.set()
            assert (first.result(60), second.result(60), done) == (None, None, set())
    finally:
        router.dispose()
        server.dispose()
    assert asked == [router]


def test_an_api_that_started_before_its_router_reads_through_the_router_and_warns(shards: Shards) -> None:
    reports = shards.reports(2)
    router, replica = connect_engine(shards.router), connect_engine(shards.url("a"), wants_writer=False)
    try:
        client = create_app(router, replica=Replica(replica, WritePosition())).test_client()
        listed = succeeded(client.get("/reports"))
        assert [row["id"] for row in listed] == sorted(reports["a"] + reports["b"])
        [warning] = succeeded(client.get("/readiness-check"))["warnings"]
    finally:
        router.dispose()
        replica.dispose()
    assert warning == (
        "PGREPRISE_READ_URL: the replica cannot be used, so the primary reads. "
        "DATABASE_URL is a router, whose log does not tell what its servers have written."
    )
