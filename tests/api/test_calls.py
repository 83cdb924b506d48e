"""A call and its claims go to the database together, and nothing of them is left for the next call."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, event
from sqlalchemy.exc import DataError, DBAPIError, InvalidRequestError, OperationalError

from pyapi.database import call, call_procedure, connect_engine, is_passing, sqlstate
from tests.support.api import as_api
from tests.support.databases import Connect, Connection

ALICE = json.dumps({"sub": "alice", "scope": "reports:read", "name": "Alice % 'O''Neill' \\ €"}, ensure_ascii=False)


@pytest.fixture
def engine(database: URL, dba: Connection) -> Iterator[Engine]:
    """An engine of one connection, with routines that tell whose call it is."""
    dba.execute("create table public.seen (actor text)")
    dba.execute(
        "create function public.seen_by(divisor bigint default 1) returns table "
        "(actor text, setting text, process bigint) language plpgsql security definer as $$ begin "
        "insert into public.seen values (pgreprise.actor()); "
        "return query select pgreprise.actor(), current_setting('request.jwt.claims', true), "
        "pg_backend_pid() / seen_by.divisor; end $$"
    )
    dba.execute(
        "create procedure public.see(number bigint, inout result jsonb default null) language plpgsql "
        "security definer as $$ begin insert into public.seen values (pgreprise.actor()); "
        "result := pgreprise.claims(); end $$"
    )
    dba.execute("create function public.json_values(given json) returns table (as_json json, as_jsonb jsonb) "
                "language sql as 'select given, given::jsonb'")  # fmt: skip
    made = connect_engine(as_api(database), pool_size=1)
    yield made
    made.dispose()


@pytest.fixture(autouse=True)
def no_connection_is_found_broken(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The pool has no reason to complain of a connection that is given back to it."""
    yield
    assert [
        record.getMessage() for record in caplog.get_records("call") if record.name.startswith("sqlalchemy.pool")
    ] == []


def seen_by(engine: Engine, claims: str | None = None, **arguments: Any) -> dict[str, Any]:
    [row] = call(engine, "public.seen_by", claims=claims, **arguments)
    return row


def actors(dba: Connection) -> list[Any]:
    return [row["actor"] for row in dba.execute("select actor from public.seen")]


# --- claims ----------------------------------------------------------------------------------


def test_the_claims_arrive_with_a_function_as_they_were_given(engine: Engine) -> None:
    row = seen_by(engine, ALICE)
    assert (row["actor"], row["setting"]) == ("alice", ALICE)


def test_the_claims_arrive_with_a_procedure(engine: Engine, dba: Connection) -> None:
    assert call_procedure(engine, "public.see", claims=ALICE, number=1) == json.loads(ALICE)
    assert actors(dba) == ["alice"]


def test_the_claims_do_not_stay_for_the_next_call_on_the_connection(engine: Engine) -> None:
    first = seen_by(engine, ALICE)
    second = seen_by(engine)
    assert second["process"] == first["process"]
    assert (second["actor"], second["setting"]) == (None, "")


def test_a_call_that_fails_leaves_neither_rows_nor_claims(engine: Engine, dba: Connection) -> None:
    with pytest.raises(DBAPIError) as caught:
        seen_by(engine, ALICE, divisor=0)
    assert sqlstate(caught.value) == "22012"
    assert actors(dba) == []
    assert seen_by(engine)["setting"] == ""


def test_a_call_that_fails_is_not_logged_by_the_driver(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    # Whether the answer is here before everything is sent is chance.
    for _ in range(200):
        with pytest.raises(DataError):
            seen_by(engine, ALICE, divisor=0)
    assert caplog.messages == []


def test_many_callers_in_turn_are_never_taken_for_one_another(engine: Engine, dba: Connection) -> None:
    # More often than it takes for a statement to be prepared, with failures in between.
    names = [f"caller {number}" for number in range(30)]
    for name in names:
        assert seen_by(engine, json.dumps({"sub": name}))["actor"] == name
        with pytest.raises(DBAPIError):
            call(engine, "public.json_values", claims=ALICE, given="no json")
        assert seen_by(engine)["actor"] is None
    assert actors(dba) == [actor for name in names for actor in (name, None)]


def test_the_transaction_of_a_call_that_fails_at_its_commit_is_told(engine: Engine, dba: Connection) -> None:
    dba.execute("alter table public.seen add unique (actor) deferrable initially deferred")
    seen_by(engine, ALICE)
    with pytest.raises(DBAPIError) as caught:
        seen_by(engine, ALICE)
    assert sqlstate(caught.value) == "23505"
    assert actors(dba) == ["alice"]
    assert seen_by(engine)["actor"] is None


@pytest.mark.parametrize("claims", [None, ALICE])
def test_values_come_back_the_same_with_and_without_claims(engine: Engine, claims: str | None) -> None:
    for _ in range(8):
        [row] = call(engine, "public.json_values", claims=claims, given='{"b" :1.0, "a":2}')
        assert row == {"as_json": '{"b" :1.0, "a":2}', "as_jsonb": {"a": 2, "b": 1.0}}


# --- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize("claims", [None, ALICE])
@pytest.mark.parametrize("errcode", ["40001", "40P01"])
def test_a_call_that_lost_against_another_is_done_again(
    engine: Engine, dba: Connection, errcode: str, claims: str | None
) -> None:
    dba.execute("create sequence public.attempts")
    dba.execute(
        "create function public.loses_twice() returns table (attempt bigint, actor text) language plpgsql "
        "security definer as $$ declare attempt constant bigint := nextval('public.attempts'); begin "
        f"if attempt < 3 then raise exception using errcode = '{errcode}'; end if; "
        "return query select attempt, pgreprise.actor(); end $$"
    )
    [row] = call(engine, "public.loses_twice", claims=claims)
    assert row == {"attempt": 3, "actor": claims and "alice"}


def end_sessions(dba: Connection) -> None:
    dba.execute(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )


@pytest.mark.parametrize("claims", [None, ALICE])
def test_a_connection_that_was_lost_is_replaced(engine: Engine, dba: Connection, claims: str | None) -> None:
    first = seen_by(engine, claims)
    end_sessions(dba)
    assert seen_by(engine, claims)["process"] != first["process"]


@pytest.mark.parametrize("claims", [None, ALICE])
def test_an_error_names_no_value_that_was_passed(engine: Engine, claims: str | None) -> None:
    with pytest.raises(DataError) as caught:
        call(engine, "public.json_values", claims=claims, given="private\0words")
    assert "private" not in str(caught.value)
    assert "alice" not in str(caught.value)
    assert seen_by(engine, claims)["actor"] == (claims and "alice")


class InterruptError(BaseException):
    """What a signal handler raises."""


@pytest.mark.parametrize("is_sent", [False, True])
def test_a_call_that_is_interrupted_is_no_part_of_the_next_one(engine: Engine, is_sent: bool) -> None:
    seen_by(engine, ALICE)
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
    wait = driver.wait

    def interrupted(steps: Any, *_: Any) -> Any:
        if is_sent:
            next(steps)
        raise InterruptError

    driver.wait = interrupted
    with pytest.raises((InterruptError, OperationalError)):
        seen_by(engine, ALICE)
    driver.wait = wait
    for name in ("bob", "carol"):
        assert seen_by(engine, json.dumps({"sub": name}))["actor"] == name
        assert seen_by(engine)["actor"] is None


# --- plans that a migration made stale --------------------------------------------------------


@pytest.mark.parametrize("claims", [None, ALICE])
def test_a_routine_whose_columns_changed_is_called_without_an_error(
    database: URL, dba: Connection, claims: str | None
) -> None:
    dba.execute("create type public.wide_row as (a int)")
    dba.execute("create function public.wide() returns setof public.wide_row language plpgsql as "
                "'begin return query select 1; end'")  # fmt: skip
    engine = connect_engine(as_api(database), pool_size=3)
    # Each connection of the pool holds a prepared statement.
    stale = set()
    connections = [engine.connect() for _ in range(3)]
    for number, connection in enumerate(connections):
        driver: Any = connection.connection.driver_connection
        stale.add(driver.info.backend_pid)
        # It is the only one that is free, so the calls are made with it.
        connection.close()
        for _ in range(6):
            call(engine, "public.wide", claims=claims)
        connections[number] = engine.connect()
        assert driver.execute("select count(*) from pg_prepared_statements where statement ~ 'wide'").fetchone() == (1,)
    for connection in connections:
        connection.close()

    dba.execute("alter type public.wide_row add attribute b int")
    dba.execute("create or replace function public.wide() returns setof public.wide_row language plpgsql as "
                "'begin return query select 1, 2; end'")  # fmt: skip

    assert [call(engine, "public.wide", claims=claims) for _ in range(12)] == [[{"a": 1, "b": 2}]] * 12
    pids = [call(engine, "pg_catalog.pg_backend_pid", columns="pg_backend_pid as pid")[0]["pid"] for _ in range(12)]
    assert stale.isdisjoint(pids)
    engine.dispose()


def test_a_routine_that_goes_on_to_lack_a_feature_is_an_error(engine: Engine, dba: Connection) -> None:
    dba.execute("create sequence public.attempts")
    dba.execute("create function public.lacks() returns void language plpgsql security definer as $$ begin "
                "perform nextval('public.attempts'); raise exception using errcode = '0A000'; end $$")  # fmt: skip
    with pytest.raises(DBAPIError) as caught:
        call(engine, "public.lacks")
    assert sqlstate(caught.value) == "0A000"
    assert dba.execute("select last_value as attempts from public.attempts").fetchone() == {"attempts": 2}


# --- round trips -----------------------------------------------------------------------------


# Asks for what is there already: a client sends it and does not wait for it.
FLUSH = b"H\0\0\0\4"


class Turns:
    """Passes bytes on between one client and the server, and counts how often the client speaks after the server."""

    def __init__(self, server: URL) -> None:
        self.count = 0
        self._client_spoke = False
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._server = server
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        host, port = self._server.host or str(self._server.query.get("host", "127.0.0.1")), self._server.port or 5432
        if host.startswith("/"):
            upstream = socket.socket(socket.AF_UNIX)
            upstream.connect(str(Path(host) / f".s.PGSQL.{port}"))
        else:
            upstream = socket.create_connection((host, port))
        threading.Thread(target=self._pass_on, args=(client, upstream, True), daemon=True).start()
        threading.Thread(target=self._pass_on, args=(upstream, client, False), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_client: bool) -> None:
        # Either end may be closed first, by the other thread too.
        with source, target, contextlib.suppress(OSError):
            while data := source.recv(65536):
                if data != FLUSH:
                    with self._lock:
                        self.count += is_client and not self._client_spoke
                        self._client_spoke = is_client
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def turns(server: URL) -> Iterator[Turns]:
    """A counter of round trips; one connection goes through its port."""
    counter = Turns(server)
    yield counter
    counter.close()


def test_a_call_with_its_claims_is_one_round_trip(engine: Engine, database: URL, turns: Turns) -> None:
    del engine
    query = {"host": "127.0.0.1", "port": str(turns.port), "sslmode": "disable", "gssencmode": "disable"}
    counted = connect_engine(as_api(database.set(host=None, port=None)).update_query_dict(query), pool_size=1)

    def trips(act: Callable[[], Any]) -> int:
        before = turns.count
        act()
        return turns.count - before

    seen_by(counted)  # connects
    assert trips(lambda: seen_by(counted)) == 1
    # psycopg prepares a statement when it is used for the sixth time; that is one message more.
    once = [1, 1, 1, 1, 1, 2, 1, 1]
    assert [trips(lambda: seen_by(counted, ALICE)) for _ in range(8)] == once
    assert [trips(lambda: call_procedure(counted, "public.see", claims=ALICE, number=1)) for _ in range(8)] == once

    def by_statements() -> None:
        with counted.connect() as connection:
            driver: Any = connection.connection.driver_connection
            for statement in ("begin", "select set_config('a.b', 'c', true)", "select 1", "commit"):
                driver.execute(statement)

    assert trips(by_statements) == 4  # so the counter counts
    counted.dispose()


def test_a_call_is_whole_while_others_use_the_same_engine(database: URL, engine: Engine, connect: Connect) -> None:
    del engine
    shared = connect_engine(as_api(database), pool_size=4)
    wrong: list[tuple[str, Any]] = []

    def act(name: str) -> None:
        for _ in range(50):
            row = seen_by(shared, json.dumps({"sub": name}))
            if row["actor"] != name:
                wrong.append((name, row))

    threads = [threading.Thread(target=act, args=(f"caller {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(actors(connect())) == 200
    shared.dispose()


def test_a_connection_that_is_lost_while_the_pool_checks_it_is_a_lost_connection(engine: Engine) -> None:
    def closed_by_somebody_else(*_: object) -> None:
        raise InvalidRequestError("This connection is closed")

    event.listen(engine, "checkout", closed_by_somebody_else)
    with pytest.raises(DBAPIError) as caught:
        call(engine, "public.seen_by")
    assert is_passing(caught.value)
