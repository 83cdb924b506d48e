"""`pgreprise invalidate` follows the feed, for reruns that the API did not make."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import URL

from pyapi.economy_cache import READER, EconomyCache
from tests.support.api import api_over
from tests.support.command import PROGRAM, Run, environment, succeeded
from tests.support.databases import Connect, Connection, plain
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
from tests.support.factories import (
    SCOPE,
    add_economy_report,
    add_report,
    add_simulation,
    set_versions,
)
from tests.support.statements import one, rerun, undo

pytestmark = [pytest.mark.needs("redis"), pytest.mark.needs("time")]

Follow = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def shared_redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis(shared_redis: RedisServer) -> RedisServer:
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


@pytest.fixture
def invalidate(pgreprise: Run, redis: RedisServer) -> Callable[..., dict[str, Any]]:
    """Runs `pgreprise invalidate --once`, and gives what it says."""

    def run(*options: str) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(
            succeeded(pgreprise("invalidate", "--once", "--json", *options, **redis.settings))
        )
        return said

    return run


@pytest.fixture
def follow(database: URL, redis: RedisServer) -> Iterator[Follow]:
    """Starts `pgreprise invalidate` as a process; what a test leaves running is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str, **settings: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [PROGRAM, "invalidate", "--interval", "0.1", *options],
            env=environment(**{"DATABASE_URL": plain(database), **redis.settings, **settings}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=60)


def until(condition: Callable[[], object]) -> None:
    """Wait for what a process does."""
    for _ in range(1500):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("it does not happen")


def kept(dba: Connection) -> tuple[int | None, int | None]:
    """The position and the count of the follower."""
    reader = one(dba, "select * from feed_position(%s)", READER)
    return reader["feed_position"], reader["handled"]


# --- once --------------------------------------------------------------------------------------


def test_what_a_rerun_in_psql_emptied_is_found_no_longer(
    invalidate: Callable[..., dict[str, Any]], application: Application, dba: Connection, report: int
) -> None:
    rerun(dba, report)
    assert found(application) == BEFORE
    records = application.recent()
    assert invalidate() == {"state": "finished", "position": 1, "acts": 1, "scopes": 1, "deleted": 1}
    assert found(application) == AFTER
    assert application.recent() == records
    assert kept(dba) == (1, 1)
    # What was computed since then stays.
    application.store(SCOPE, "new")
    assert invalidate() == {"state": "finished", "position": 1, "acts": 0, "scopes": 0, "deleted": 0}
    assert application.find(SCOPE) == "new"


def test_an_undo_in_psql_lets_it_forget_what_was_computed_in_between(
    invalidate: Callable[..., dict[str, Any]], application: Application, dba: Connection, report: int
) -> None:
    done = rerun(dba, report)
    invalidate()
    application.store(SCOPE, "new")
    undo(dba, done["rerun_id"])
    assert invalidate()["deleted"] == 1
    assert found(application) == AFTER


def test_what_a_batch_and_a_deletion_by_key_emptied_is_found_no_longer(
    invalidate: Callable[..., dict[str, Any]], pgreprise: Run, application: Application, dba: Connection, report: int
) -> None:
    # Another report of the same scope, and one without a scope.
    add_report(dba, *one(dba, "select simulation_1_id, simulation_2_id from report_outputs").values())
    add_report(dba, add_simulation(dba, population_type="household"))
    assert pgreprise("rerun-batch", "--country", "us").returncode == 0
    assert invalidate() == {"state": "finished", "position": 3, "acts": 3, "scopes": 1, "deleted": 1}
    assert found(application) == AFTER
    application.store(SCOPE, "new")
    dba.execute(
        "select delete_reform_impacts(%(country_id)s, %(baseline_policy_id)s, %(reform_policy_id)s, %(region)s, "
        "%(dataset)s, %(time_period)s)",
        SCOPE,
    )
    assert invalidate() == {"state": "finished", "position": 4, "acts": 1, "scopes": 1, "deleted": 1}
    assert (application.find(SCOPE), report) == (None, 1)


def test_many_acts_are_read_page_by_page(
    invalidate: Callable[..., dict[str, Any]],
    application: Application,
    dba: Connection,
    report: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pyapi.cli.invalidation._PAGE", 2)
    for _ in range(5):
        rerun(dba, report)
    assert invalidate() == {"state": "finished", "position": 5, "acts": 5, "scopes": 5, "deleted": 1}
    assert found(application) == AFTER


def test_a_first_run_from_now_skips_what_was_before_and_a_later_one_skips_nothing(
    invalidate: Callable[..., dict[str, Any]], application: Application, dba: Connection, report: int
) -> None:
    rerun(dba, report)
    assert invalidate("--from-now")["position"] == 1
    assert found(application) == BEFORE
    rerun(dba, report)
    assert invalidate("--from-now") == {"state": "finished", "position": 2, "acts": 1, "scopes": 1, "deleted": 1}
    assert found(application) == AFTER


def test_it_says_in_a_sentence_what_it_did(pgreprise: Run, redis: RedisServer, dba: Connection, report: int) -> None:
    rerun(dba, report)
    said = succeeded(pgreprise("invalidate", "--once", **redis.settings))
    assert said == "1 act read up to position 1, with 1 cache scope; 0 keys deleted.\n"


# --- at least once -----------------------------------------------------------------------------


def test_a_follower_that_is_killed_after_the_deletion_leaves_a_position_that_repeats_it(
    follow: Follow,
    invalidate: Callable[..., dict[str, Any]],
    application: Application,
    connect: Connect,
    dba: Connection,
    report: int,
) -> None:
    rerun(dba, report)
    holder = connect(autocommit=False)
    holder.execute("lock table pgreprise.feed_reader in exclusive mode")
    process = follow()
    until(lambda: application.find(SCOPE) is None)
    process.kill()
    process.wait(timeout=60)
    # The machine of the follower is gone; the database would else do what it was asked for.
    dba.execute("select pg_terminate_backend(pid, 10000) from pg_stat_activity where application_name = 'pgreprise'")
    holder.rollback()
    assert kept(dba) == (None, None)
    # Between the kill and now somebody else may have stored the old result, with a computation from before.
    application.store(SCOPE)
    assert invalidate()["deleted"] == 1
    assert (application.find(SCOPE), kept(dba)[0]) == (None, 1)


def test_two_followers_at_once_miss_nothing_and_count_each_key_once(
    follow: Follow, application: Application, dba: Connection, report: int
) -> None:
    followers = [follow(), follow()]
    for number in range(1, 6):
        rerun(dba, report)
        until(lambda number=number: kept(dba)[0] == number)
        assert application.find(SCOPE) is None
        application.store(SCOPE)
    rerun(dba, report)
    until(lambda: kept(dba)[0] == 6)
    for process in followers:
        process.terminate()
        assert process.wait(timeout=60) == 0
    assert found(application) == AFTER


# --- following ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_follower_stops_with_a_signal_and_says_what_it_did(
    follow: Follow, application: Application, dba: Connection, report: int, number: signal.Signals, code: int
) -> None:
    process = follow("--json")
    until(lambda: one(dba, "select count(*) as n from pg_stat_activity where application_name = 'pgreprise'")["n"])
    rerun(dba, report)
    until(lambda: kept(dba)[0] == 1)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (code, "")
    assert [json.loads(line)["state"] for line in out.splitlines()] == ["following", "stopped"]
    assert json.loads(out.splitlines()[-1]) == {"state": "stopped", "position": 1, "acts": 1, "scopes": 1, "deleted": 1}
    assert found(application) == AFTER


def test_a_follower_waits_while_redis_is_away_keeps_its_position_and_catches_up(
    follow: Follow, redis: RedisServer, application: Application, dba: Connection, report: int
) -> None:
    redis.stop()
    try:
        rerun(dba, report)
        process = follow()
        assert process.stderr is not None
        first, second = process.stderr.readline(), process.stderr.readline()
        assert kept(dba) == (None, None)
    finally:
        redis.start()
    for said in (first, second):
        assert said.startswith("Redis: ConnectionError: ")
        # The pauses are drawn by lot.
        assert ". Trying again in " in said
    until(lambda: kept(dba)[0] == 1)
    assert found(application) == AFTER
    process.terminate()
    assert process.wait(timeout=60) == 0


def test_a_follower_survives_that_the_database_ends_its_sessions(
    follow: Follow, application: Application, dba: Connection, report: int
) -> None:
    process = follow()
    rerun(dba, report)
    until(lambda: kept(dba)[0] == 1)
    application.store(SCOPE)
    dba.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )
    rerun(dba, report)
    until(lambda: kept(dba)[0] == 2)
    assert found(application) == AFTER
    process.terminate()
    assert process.wait(timeout=60) == 0


def test_a_single_run_gives_up_after_some_tries_and_keeps_the_position(
    pgreprise: Run, redis: RedisServer, dba: Connection, report: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyapi.cli.invalidation._FIRST_PAUSE_SECONDS", 0.01)
    rerun(dba, report)
    done = pgreprise(
        "invalidate", "--once", **{**redis.settings, "PGREPRISE_REDIS_URL": "redis://u:s3cret@127.0.0.1:1"}
    )
    assert done.returncode == 1
    *tries, last = done.stderr.splitlines()
    assert len(tries) == 3
    assert last.startswith("Error: Redis: ConnectionError: ")
    assert "s3cret" not in done.stderr + done.stdout
    assert kept(dba) == (None, None)


def test_an_error_that_does_not_go_by_itself_ends_it(
    pgreprise: Run, redis: RedisServer, dba: Connection, report: int
) -> None:
    rerun(dba, report)
    dba.execute("drop function keep_feed_position")
    done = pgreprise("invalidate", **redis.settings)
    assert (done.returncode, "42883" in done.stderr) == (1, True)


# --- beside the API ----------------------------------------------------------------------------


def test_what_the_api_has_deleted_is_not_deleted_again(
    invalidate: Callable[..., dict[str, Any]],
    database: URL,
    redis: RedisServer,
    application: Application,
    dba: Connection,
    report: int,
) -> None:
    cache = EconomyCache(redis.url, ENVIRONMENT, SERVICE)
    with api_over(database, economy_cache=cache) as api:
        assert api.test_client().post(f"/us/report/{report}/rerun").status_code == 200
        # The application has begun to compute.
        application.store(SCOPE, "computing")
        assert invalidate() == {"state": "finished", "position": 1, "acts": 1, "scopes": 0, "deleted": 0}
        assert application.find(SCOPE) == "computing"
        # A later act of somebody else is no reason to keep it.
        undo(dba, 1)
        assert invalidate()["deleted"] == 1
    assert found(application) == AFTER


def test_what_the_api_could_not_delete_is_deleted(
    invalidate: Callable[..., dict[str, Any]],
    database: URL,
    redis: RedisServer,
    application: Application,
    report: int,
) -> None:
    redis.stop()
    try:
        with api_over(database, economy_cache=EconomyCache(redis.url, ENVIRONMENT, SERVICE)) as api:
            assert api.test_client().post(f"/us/report/{report}/rerun").status_code == 200
    finally:
        redis.start()
    assert found(application) == BEFORE
    assert invalidate()["deleted"] == 1
    assert found(application) == AFTER


def test_a_follower_that_may_only_delete_deletes(pgreprise: Run, dba: Connection, report: int) -> None:
    with (
        RedisServer("user deleter on >a ~policyengine:* -@all +del +select") as server,
        application_over(server) as application,
    ):
        rerun(dba, report)
        url = server.url.replace("redis://", "redis://deleter:a@")
        succeeded(pgreprise("invalidate", "--once", **{**server.settings, "PGREPRISE_REDIS_URL": url}))
        assert found(application) == AFTER


# --- with the server -----------------------------------------------------------------------------


def test_the_server_deletes_too_from_each_of_its_processes(
    database: URL, redis: RedisServer, application: Application, dba: Connection, report: int, port: int
) -> None:
    import urllib.request

    process = subprocess.Popen(
        [PROGRAM, "serve", "--port", str(port), "--workers", "2"],
        env=environment(DATABASE_URL=plain(database), **redis.settings),
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        assert process.stdout is not None
        assert "serves on" in process.stdout.readline()
        for number in range(1, 11):
            application.store(SCOPE)
            request = urllib.request.Request(f"http://127.0.0.1:{port}/us/report/{report}/rerun", method="POST")
            with urllib.request.urlopen(request, timeout=30) as reply:
                assert json.load(reply)["result"]["rerun_id"] == number
            assert found(application) == AFTER
        assert kept(dba) == (None, None)
    finally:
        process.terminate()
        process.communicate(timeout=60)
