"""A client reruns a report whose results the application keeps in Redis."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask.testing import FlaskClient
from sqlalchemy import URL

from pyapi.economy_cache import READER, EconomyCache
from tests.support.api import api_over
from tests.support.databases import Connection
from tests.support.economy_cache import (
    AFTER,
    BEFORE,
    ENVIRONMENT,
    SERVICE,
    Application,
    RedisServer,
    application_over,
    found,
)
from tests.support.factories import SCOPE, add_economy_report, add_report, add_simulation, set_versions
from tests.support.replies import succeeded

pytestmark = pytest.mark.needs("redis")


@pytest.fixture(scope="module")
def shared_redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis(shared_redis: RedisServer) -> RedisServer:
    """A Redis with nothing in it, which runs."""
    with shared_redis.client() as client:
        client.flushall()
    return shared_redis


@pytest.fixture
def application(redis: RedisServer) -> Iterator[Application]:
    with application_over(redis) as made:
        yield made


@pytest.fixture
def report(dba: Connection) -> int:
    """A report of SCOPE."""
    set_versions(dba)
    return add_economy_report(dba)[0]


@contextmanager
def api(database: URL, url: str) -> Iterator[FlaskClient]:
    """A client of an API with this Redis."""
    with api_over(database, economy_cache=EconomyCache(url, ENVIRONMENT, SERVICE)) as made:
        yield made.test_client()


@pytest.fixture
def client(database: URL, redis: RedisServer) -> Iterator[FlaskClient]:
    with api(database, redis.url) as made:
        yield made


def warnings(client: FlaskClient) -> list[str]:
    """What readiness warns of; it is 200."""
    said: list[str] = succeeded(client.get("/readiness-check"))["warnings"]
    return said


def test_what_the_application_finds_before_a_rerun_it_no_longer_finds_after(
    client: FlaskClient, application: Application, report: int
) -> None:
    assert found(application) == BEFORE
    records = application.recent()
    result = succeeded(client.post(f"/us/report/{report}/rerun"))
    assert result["cache_scopes"] == [SCOPE]
    assert found(application) == AFTER
    # Only the index key of the scope is gone.
    assert application.recent() == records


def test_an_undo_lets_it_forget_what_was_computed_in_between(
    client: FlaskClient, application: Application, report: int
) -> None:
    result = succeeded(client.post(f"/us/report/{report}/rerun"))
    application.store(SCOPE, "new")
    succeeded(client.post(f"/us/report/{report}/reruns/{result['rerun_id']}/undo"))
    assert found(application) == AFTER


def test_the_same_idempotency_key_again_forgets_again(
    client: FlaskClient, application: Application, report: int
) -> None:
    headers = {"Idempotency-Key": "once"}
    succeeded(client.post(f"/us/report/{report}/rerun", headers=headers))
    # As if the process had ended between the commit and the deletion.
    application.store(SCOPE)
    succeeded(client.post(f"/us/report/{report}/rerun", headers=headers))
    assert found(application) == AFTER


def test_a_household_report_a_refused_rerun_and_a_preview_delete_nothing(
    client: FlaskClient, application: Application, dba: Connection, report: int
) -> None:
    household = add_report(dba, add_simulation(dba, population_type="household"))
    assert succeeded(client.post(f"/us/report/{household}/rerun"))["cache_scopes"] == []
    assert client.post("/us/report/999999/rerun").status_code == 404
    succeeded(client.get(f"/us/report/{report}/rerun"))
    assert found(application) == BEFORE


def test_a_rerun_succeeds_while_redis_is_away_and_is_made_up_for_later(
    client: FlaskClient,
    redis: RedisServer,
    application: Application,
    report: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert warnings(client) == []
    redis.stop()
    try:
        with caplog.at_level(logging.WARNING):
            succeeded(client.post(f"/us/report/{report}/rerun"))
            [said] = warnings(client)
    finally:
        redis.start()
    assert said == (
        "Redis cannot be used: the economy cache keeps what reruns emptied. "
        "1 deletion of this process will be repeated."
    )
    assert all(record.message.startswith("Redis: ") and "\n" not in record.message for record in caplog.records)
    assert caplog.records
    assert found(application) == BEFORE
    assert warnings(client) == []
    assert found(application) == AFTER


def test_a_rerun_succeeds_while_redis_accepts_connections_and_answers_nothing(
    client: FlaskClient,
    redis: RedisServer,
    application: Application,
    report: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    redis.freeze()
    try:
        for _ in range(3):
            succeeded(client.post(f"/us/report/{report}/rerun"))
        # The later ones did not wait for Redis again.
        assert [record.message[:6] for record in caplog.records] == ["Redis:"]
        assert "cannot be used" in warnings(client)[0]
    finally:
        redis.thaw()
    assert warnings(client) == []
    assert found(application) == AFTER


def test_the_next_rerun_makes_up_for_the_one_before(
    client: FlaskClient, redis: RedisServer, application: Application, report: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyapi.api.invalidation._PAUSE_SECONDS", 0)
    redis.stop()
    try:
        succeeded(client.post(f"/us/report/{report}/rerun"))
    finally:
        redis.start()
    # In another scope.
    other = succeeded(client.post("/us/report", json={"simulation_1_id": 1, "year": "2031"}), 201)["id"]
    succeeded(client.post(f"/us/report/{other}/rerun"))
    assert found(application) == AFTER


def test_a_process_keeps_the_newest_deletions_only_and_the_feed_has_all(
    client: FlaskClient, redis: RedisServer, application: Application, report: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyapi.api.invalidation._MOST_KEPT", 1)
    other = succeeded(client.post("/us/report", json={"simulation_1_id": 1, "year": "2031"}), 201)["id"]
    redis.stop()
    try:
        for one in (report, other):
            succeeded(client.post(f"/us/report/{one}/rerun"))
    finally:
        redis.start()
    assert warnings(client) == []
    assert found(application) == BEFORE


def test_an_api_without_redis_warns_of_nothing(database: URL) -> None:
    with api_over(database) as without:
        assert warnings(without.test_client()) == []


def test_an_api_whose_redis_was_never_there_is_ready(database: URL, report: int) -> None:
    with api(database, "redis://127.0.0.1:1/0") as client:
        succeeded(client.post(f"/us/report/{report}/rerun"))
        assert len(warnings(client)) == 1


# --- a follower that is behind -----------------------------------------------------------------


def test_readiness_warns_where_nobody_follows_the_feed(client: FlaskClient, dba: Connection, report: int) -> None:
    succeeded(client.post(f"/us/report/{report}/rerun"))
    assert warnings(client) == []
    dba.execute("update pgreprise.rerun set created_at = now() - interval '2 minutes'")
    [said] = warnings(client)
    assert said.startswith("Redis: `pgreprise invalidate` has never run. An act has been waiting for it since 20")
    dba.execute("select * from rerun_feed(0)")
    dba.execute("select keep_feed_position(%s, 0)", (READER,))
    [said] = warnings(client)
    assert said.startswith("Redis: `pgreprise invalidate` is behind.")
    dba.execute("select keep_feed_position(%s, 1)", (READER,))
    assert warnings(client) == []


# --- passwords and rights ----------------------------------------------------------------------


@pytest.mark.parametrize("password", ["plain", "p@ss:w/rd?#%&=+ x", "päßwörd", "100%25", "'\"\\"])
def test_any_password_logs_in(database: URL, report: int, password: str) -> None:
    with (
        RedisServer(password=password) as server,
        application_over(server) as application,
        api(database, server.url) as client,
    ):
        succeeded(client.post(f"/us/report/{report}/rerun"))
        assert found(application) == AFTER
        assert warnings(client) == []


def test_a_wrong_password_is_neither_shown_nor_logged(
    database: URL, report: int, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        RedisServer(password="right") as server,
        api(database, server.url.replace("right", "s3cr%40t")) as client,
        caplog.at_level(logging.DEBUG),
    ):
        succeeded(client.post(f"/us/report/{report}/rerun"))
        shown = str(warnings(client)) + caplog.text
    assert "cannot be used" in shown
    assert "s3cr" not in shown


def test_a_user_who_may_only_delete_is_enough_and_one_who_may_not_is_noticed(database: URL, report: int) -> None:
    users = (
        "user deleter on >a ~policyengine:* -@all +del +ping +select",
        "user reader on >b ~policyengine:* -@all +get +ping +select",
    )
    with RedisServer(*users) as server, application_over(server) as application:
        for login, outcome in (("reader:b", BEFORE), ("deleter:a", AFTER)):
            with api(database, server.url.replace("redis://", f"redis://{login}@")) as client:
                succeeded(client.post(f"/us/report/{report}/rerun"))
                assert found(application) == outcome
                assert bool(warnings(client)) == (outcome == BEFORE)


def test_a_socket_is_reached_too(database: URL, report: int) -> None:
    with (
        RedisServer() as server,
        application_over(server) as application,
        api(database, f"unix://{server.socket}?db=0") as client,
    ):
        succeeded(client.post(f"/us/report/{report}/rerun"))
        assert found(application) == AFTER
