"""A PgBouncer in transaction mode beside each server, between the server and the router."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pyapi.api.app import create_app
from pyapi.database import call, connect_engine
from pyapi.shards.router import LOGIN, connection_of
from tests.support import tokens
from tests.support.api import api_over, as_api
from tests.support.command import Done, run_here, succeeded
from tests.support.databases import Connection, connect, folder_of_a_server, plain, rows
from tests.support.fleets import Shards, away, run_script
from tests.support.poolers import Poolers, poolers_before, stopped
from tests.support.refusals import refused_with
from tests.support.replies import refused
from tests.support.replies import succeeded as replied
from tests.support.servers import Pooler
from tests.support.statements import one, rerun
from tests.support.workers import until

pytestmark = pytest.mark.needs("pgbouncer", "plproxy", "time")

NewPoolers = Callable[..., AbstractContextManager[Poolers]]

ALL = '{"country": "us"}'
ROUNDS = 8
# state/ca of us.
CALIFORNIA = 31


@pytest.fixture
def new_poolers(shards: Shards) -> Iterator[NewPoolers]:
    """Puts a PgBouncer before each server."""
    with folder_of_a_server() as folder:
        yield partial(poolers_before, shards, Path(folder))


@pytest.fixture
def pooler_folder() -> Iterator[Path]:
    """A folder for a program of another account."""
    with folder_of_a_server() as folder:
        yield Path(folder)


@pytest.fixture
def poolers(new_poolers: NewPoolers) -> Iterator[Poolers]:
    """A PgBouncer before each server, with one connection to it for all that the router's backends ask."""
    with new_poolers() as made:
        yield made


def code_of(on: Connection, statement: str, *values: Any) -> str | None:
    """The SQLSTATE with which a statement is refused."""
    with pytest.raises(psycopg.Error) as caught:
        on.execute(statement.encode(), values or None)
    return caught.value.diag.sqlstate


def bearer(subject: str, scope: str = "reports:read reports:rerun") -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.signed(tokens.claims(sub=subject, scope=scope))}"}


def connections(shards: Shards, name: str) -> list[int]:
    """The processes of a server that work for the router."""
    found = "select pid from pg_stat_activity where usename = %s and datname = %s order by pid"
    return [row["pid"] for row in rows(shards.url(name), found, LOGIN, shards.database)]


def wait_for_a_lock(shards: Shards, name: str) -> None:
    """Wait until a call waits for a lock on a server."""
    waiting = "select from pg_stat_activity where usename = %s and datname = %s and wait_event_type = 'Lock'"
    until(lambda: rows(shards.url(name), waiting, LOGIN, shards.database))


def left_behind(pooler: Pooler) -> list[Any]:
    """What a client of the one server connection finds there of those before it."""
    with connect(pooler.url.set(username=LOGIN)) as client:
        settings = client.execute(
            "select name, setting from pg_settings where source = 'session' and name <> 'application_name'"
        ).fetchall()
        prepared = client.execute("select name from pg_prepared_statements").fetchall()
        ours = client.execute(
            "select name, current_setting(name, true) as setting from unnest(%s::text[]) as listed(name) "
            "where current_setting(name, true) <> ''",
            (["request.jwt.claims", "pgreprise.request_id", "pgreprise.client_address", "pgreprise.batch_id",
              "pgreprise.router_session_role", "pgreprise.router_role_setting", "pgreprise.router_operator"],),
        ).fetchall()  # fmt: skip
        return [*settings, *prepared, *ours]


# --- callers ---------------------------------------------------------------------------------


def test_callers_side_by_side_are_recorded_each_under_their_own_name(shards: Shards, new_poolers: NewPoolers) -> None:
    names = [f"caller {number}" for number in range(6)]
    ids = [number for listed in shards.reports(3).values() for number in listed]
    reports = dict(zip(names, ids, strict=True))
    failures: list[str] = []

    def work(name: str) -> None:
        client = clients[name]
        for _ in range(ROUNDS):
            for response in (
                client.post(f"/us/report/{reports[name]}/rerun", headers=bearer(name)),
                client.get(f"/us/report/{reports[name]}", headers=bearer(name)),
                client.get("/reports", headers=bearer(name)),
            ):
                if response.status_code != 200:
                    failures.append(response.text)

    with new_poolers(connections=2), ExitStack() as opened:
        # One connection to the router for each.
        verifier = tokens.authentication(jwt_secret=tokens.SECRET)
        clients = {name: opened.enter_context(api_over(shards.router, verifier)).test_client() for name in names}
        threads = [threading.Thread(target=work, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        backends = shards.row(
            "select count(*) from pg_stat_activity where application_name = 'pgreprise' and datname = %s",
            shards.database,
        )
        assert backends == {"count": 6}
        assert {name: 0 < len(connections(shards, name)) <= 2 for name in "ab"} == {"a": True, "b": True}
    acts = "select actor, count(*) as acts from pgreprise.rerun where report_id = %s group by actor"
    for name, report in reports.items():
        server = shards.home(shards.row("select pgreprise.shard_of('report', %s) as n", report)["n"])
        assert rows(shards.url(server), acts, report) == [{"actor": name, "acts": ROUNDS}]


def test_callers_share_the_connections_to_the_router_too(
    shards: Shards, psql: Connection, poolers: Poolers, pooler_folder: Path
) -> None:
    ids = [number for listed in shards.reports(2).values() for number in listed]
    of_routers = shards.fleet.of_routers
    before = Pooler(of_routers.programs, of_routers.programs.own(pooler_folder), shards.router, ("postgres",))
    before.start()
    engine = connect_engine(before.url, pool_size=4)
    api = create_app(engine, tokens.authentication(jwt_secret=tokens.SECRET))

    def work(report: int) -> list[int]:
        client = api.test_client()
        path, headers = f"/us/report/{report}", bearer(f"caller of {report}")
        return [
            response.status_code
            for _ in range(ROUNDS)
            for response in (client.post(f"{path}/rerun", headers=headers), client.get(path, headers=headers))
        ]

    try:
        with ThreadPoolExecutor(4) as threads:
            assert {code for codes in threads.map(work, ids) for code in codes} == {200}
    finally:
        engine.dispose()
        before.stop()
    acts = psql.execute(
        "select report_id, actor, count(*) as acts from rerun_history(max_rows => 1000) group by report_id, actor"
    ).fetchall()
    assert {(row["report_id"], row["actor"], row["acts"]) for row in acts} == {
        (report, f"caller of {report}", ROUNDS) for report in ids
    }
    assert [left_behind(pooler) for pooler in poolers.values()] == [[], []]


def test_a_refusal_is_returned_and_the_connection_to_the_server_serves_the_next_caller(
    shards: Shards, psql: Connection, poolers: Poolers
) -> None:
    report = shards.add_report("ca")
    name = shards.home_of("ca")
    with api_over(shards.router, tokens.authentication(jwt_secret=tokens.SECRET)) as api:
        client = api.test_client()
        path = f"/us/report/{report}"
        replied(client.post(f"{path}/rerun", headers=bearer("alice")))
        served_by = connections(shards, name)
        for _ in range(ROUNDS):
            told = refused(client.post(f"{path}/rerun", headers=bearer("bob", "reports:read")), 403, "RR017")
            assert told["message"] == "The token of bob does not have the scope reports:rerun."
            assert left_behind(poolers[name]) == []
            replied(client.get(path, headers=bearer("bob", "reports:read")))
            refused(client.get("/us/report/6399936", headers=bearer("alice")), 404, "RR001")
            replied(client.post(f"{path}/rerun", headers=bearer("alice")))
    assert (connections(shards, name), len(served_by)) == (served_by, 1)
    acts = psql.execute("select actor, count(*) as acts from rerun_history(max_rows => 1000) group by actor").fetchall()
    assert acts == [{"actor": "alice", "acts": ROUNDS + 1}]


def test_what_one_caller_has_set_reaches_no_other_one(shards: Shards, psql: Connection, poolers: Poolers) -> None:
    report = shards.add_report("ca")
    name = shards.home_of("ca")
    with connect(shards.router) as other:
        other.execute(
            "select set_config('request.jwt.claims', %s, false)", (json.dumps({"sub": "x", "scope": "reports:rerun"}),)
        )
        other.execute(
            "set statement_timeout = '7s'; set lock_timeout = '1ms'; set datestyle = 'SQL, DMY'; "
            "set timezone = 'Asia/Kolkata'; set role pgreprise_api; set default_transaction_read_only = on; "
            "set search_path = pg_temp"
        )
        assert code_of(other, "call public.rerun_report(%s::bigint)", report) == "25006"
        assert code_of(other, "select * from public.get_report(%s::bigint)", report) == "RR017"
        assert left_behind(poolers[name]) == []
        assert rerun(psql, report)["run_sequence"] == 2
        assert left_behind(poolers[name]) == []
    assert len(connections(shards, name)) == 1
    row = one(psql, "select session_role, role_setting, actor from rerun_history()")
    assert row == {"session_role": "postgres", "role_setting": None, "actor": None}


def test_a_call_that_takes_too_long_is_cancelled_on_the_server_behind_the_pooler(
    shards: Shards, poolers: Poolers
) -> None:
    report = shards.add_report("ca", status="pending", output=None)
    name = shards.home_of("ca")
    engine = connect_engine(as_api(shards.router, "-c lock_timeout=60s"), call_timeout_seconds=1)
    try:
        with connect(shards.url(name), autocommit=False) as holder:
            holder.execute("select from report_outputs where id = %s for update", (report,))
            with refused_with("57014"):
                call(engine, "public.update_report", report_id=report, status="running")
            # The one connection to the server is free again.
            assert left_behind(poolers[name]) == []
            holder.rollback()
        [row] = call(engine, "public.get_report", report_id=report)
        assert row["status"] == "pending"
        assert call(engine, "public.update_report", report_id=report, status="running")
    finally:
        engine.dispose()


def test_a_call_that_finds_no_connection_free_is_given_up(
    shards: Shards, psql: Connection, new_poolers: NewPoolers
) -> None:
    reports = shards.reports(1)
    with new_poolers(query_wait_timeout=1) as poolers:
        with connect(poolers["b"].url.set(username=LOGIN), autocommit=False) as holder:
            holder.execute("select")
            assert code_of(psql, "call rerun_report(%s)", reports["b"][0]) == "RR035"
            assert rerun(psql, reports["a"][0])["run_sequence"] == 2
            holder.rollback()
        assert rerun(psql, reports["b"][0])["run_sequence"] == 2


def test_more_backends_than_a_pooler_takes_are_refused(
    shards: Shards, psql: Connection, new_poolers: NewPoolers
) -> None:
    report = shards.add_report(shards.populations("b", 1)[0])
    with new_poolers(max_client_conn=1) as poolers:
        with connect(poolers["b"].url):
            assert code_of(psql, "call rerun_report(%s)", report) == "RR035"
        until(lambda: serves(psql, report))


def test_a_batch_runs_over_both_servers(shards: Shards, psql: Connection, poolers: Poolers) -> None:
    reports = shards.reports(5)
    effects = one(psql, "select * from rerun_batch_effects(%s)", ALL)
    batch = one(psql, "select create_rerun_batch(%s, reason => 'why', seen => %s) as id", ALL, effects["seen"])["id"]
    result = one(psql, "call run_rerun_batch(%s, chunk_size => 2)", batch)["result"]
    assert (result["reports"], result["rerun"], result["remaining"]) == (10, 10, 0)
    pending = "select id from report_outputs where status = 'pending' order by id"
    for name, ids in reports.items():
        assert [row["id"] for row in rows(shards.url(name), pending)] == sorted(ids)
        assert left_behind(poolers[name]) == []
    assert one(psql, "call undo_rerun_batch(%s)", batch)["result"]["undone"] == 10


# --- a pooler, or the server behind it, is lost ------------------------------------------------


def test_a_pooler_that_is_killed_is_a_server_that_is_away_until_it_is_back(
    shards: Shards, psql: Connection, poolers: Poolers
) -> None:
    reports = shards.reports(1)
    rerun(psql, reports["b"][0])
    with stopped(poolers["b"]), connect(shards.router) as other:
        for on in (psql, other):
            assert code_of(on, "call rerun_report(%s)", reports["b"][0]) == "RR035"
            assert code_of(on, "select * from find_reports()") == "RR035"
        assert rerun(psql, reports["a"][0])["run_sequence"] == 2
        claimed = psql.execute("select report_id from claim_report('worker', max_reports => 10)").fetchall()
        assert [row["report_id"] for row in claimed] == reports["a"]
    assert one(psql, "select count(*) from find_reports()") == {"count": 2}
    claimed = psql.execute("select report_id from claim_report('worker', max_reports => 10)").fetchall()
    assert [row["report_id"] for row in claimed] == reports["b"]


@pytest.mark.parametrize("lost", ["the pooler", "the server", "the connection"])
def test_what_is_lost_during_a_call_is_a_server_that_is_away(
    shards: Shards, psql: Connection, new_poolers: NewPoolers, lost: str
) -> None:
    report = shards.add_report(shards.populations("b", 1)[0])
    server = shards.fleet.servers["b"]
    with new_poolers() as poolers, ThreadPoolExecutor(1) as threads:
        holder = connect(shards.url("b"), autocommit=False)
        holder.execute("select from report_outputs where id = %s for update", (report,))
        waits = threads.submit(code_of, psql, "call rerun_report(%s)", report)
        wait_for_a_lock(shards, "b")
        match lost:
            case "the pooler":
                with stopped(poolers["b"]):
                    pass
            case "the server":
                server.stop()
                server.start()
            case _:
                [process] = connections(shards, "b")
                rows(shards.url("b"), "select pg_terminate_backend(%s)", process)
        assert waits.result() == "RR035"
        holder.close()
        until(lambda: serves(psql, report))


def serves(psql: Connection, report: int) -> bool:
    """Whether the server of a report is reached; until then the call says that it is not."""
    try:
        return bool(one(psql, "select id from get_report(%s)", report))
    except psycopg.Error as error:
        if error.sqlstate != "RR035":
            raise
        return False


def test_a_server_that_is_killed_behind_its_pooler_is_passed_over_and_found_again(
    shards: Shards, psql: Connection, new_poolers: NewPoolers
) -> None:
    reports = shards.reports(2)
    with new_poolers(query_wait_timeout=1):
        batch = one(psql, "select create_rerun_batch(%s) as id", ALL)["id"]
        with away(shards, "b"):
            # One waits for a connection in vain, the others are told at once.
            for _ in range(2):
                assert code_of(psql, "call rerun_report(%s)", reports["b"][0]) == "RR035"
                assert code_of(psql, "select * from find_reports()") == "RR035"
            with api_over(shards.router) as api:
                told = refused(api.test_client().post(f"/us/report/{reports['b'][0]}/rerun"), 503, "RR035")
                assert "REMOTE" not in told["message"] + told.get("hint", "")
                assert api.test_client().get("/readiness-check").status_code == 503
            chunk = one(psql, "select rerun_batch_chunk(%s, 10) as chunk", batch)["chunk"]
            assert (chunk["rerun"], chunk["away"]) == (2, [])
            chunk = one(psql, "select rerun_batch_chunk(%s, 10, %s) as chunk", batch, chunk["after"])["chunk"]
            assert (chunk["rerun"], chunk["away"]) == (0, ["b"])
            found = [row["message"] for row in psql.execute("select * from pgreprise.router_findings()")]
            assert any(message.startswith("Server b does not answer: ") for message in found)
        until(lambda: serves(psql, reports["b"][0]))
        result = one(psql, "call run_rerun_batch(%s)", batch)["result"]
    assert (result["rerun"], result["remaining"]) == (2, 0)


# --- moving ----------------------------------------------------------------------------------


def direct(shards: Shards) -> dict[str, str]:
    """PGREPRISE_SHARDS as people type it: the servers themselves."""
    return {name: plain(shards.url(name)) for name in shards.fleet.servers}


def through(poolers: Poolers) -> dict[str, str]:
    """The same, with the poolers."""
    return {name: plain(pooler.url) for name, pooler in poolers.items()}


def typed(shards: Shards, servers: dict[str, str], *arguments: str) -> Done:
    """A command of the group ``shard``."""
    listed = " ".join(f"{name}={url}" for name, url in servers.items())
    return run_here("shard", *arguments, DATABASE_URL=plain(shards.router), PGREPRISE_SHARDS=listed)


def target_of(psql: Connection, logical_shard: int) -> str:
    """How the router connects to the server of a logical shard."""
    found = one(
        psql,
        "select option.option_value as target from pg_foreign_server as server "
        "cross join lateral pg_options_to_table(server.srvoptions) as option "
        "where server.srvname = 'pgreprise' and option.option_name = %s",
        f"p{logical_shard}",
    )
    target: str = found["target"]
    return target


def test_a_move_keeps_the_poolers_of_the_router(shards: Shards, psql: Connection, poolers: Poolers) -> None:
    report = shards.add_report("ca")
    old = shards.home(CALIFORNIA)
    [new] = set(shards.fleet.servers) - {old}
    rerun(psql, report)
    for home, sequence in ((new, 3), (old, 4)):
        said = succeeded(typed(shards, direct(shards), "move", str(CALIFORNIA), "--to", home))
        assert f"logical shard {CALIFORNIA}: the router sends it to {home}" in said
        assert target_of(psql, CALIFORNIA) == connection_of(poolers[home].url)
        assert rerun(psql, report)["run_sequence"] == sequence
        with stopped(poolers[home]):
            assert code_of(psql, "call rerun_report(%s)", report) == "RR035"
    assert one(psql, "select count(*) from rerun_history(report_id => %s)", report) == {"count": 3}


@pytest.fixture
def new_server(shards: Shards) -> Iterator[str]:
    """A new server c, without reports, as a database of the machine of b."""
    machine, database = shards.fleet.servers["b"], f"{shards.database}_c"
    machine.execute(f"create database {database} template {shards.database} strategy file_copy")
    with connect(machine.url(database)) as on:
        on.execute("update pgreprise.logical_shard set state = 'absent'")
    yield database
    machine.execute(f"drop database {database} with (force)")


def test_a_new_server_that_the_router_was_told_of_before_is_reached_through_its_pooler(
    shards: Shards, new_server: str, psql: Connection, poolers: Poolers
) -> None:
    report = shards.add_report("ca")
    itself = plain(shards.url("b").set(database=new_server))
    pooled = poolers["b"].url.set(database=new_server)
    text = succeeded(typed(shards, through(poolers) | {"c": plain(pooled)}, "router"))
    run_script(shards.fleet.of_routers, shards.database, text)
    # It holds nothing yet, so no call goes there.
    assert [row["name"] for row in psql.execute("select name from pgreprise.servers()")] == ["a", "b"]
    succeeded(typed(shards, direct(shards) | {"c": itself}, "move", str(CALIFORNIA), "--to", "c"))
    assert target_of(psql, CALIFORNIA) == connection_of(pooled)
    assert rerun(psql, report)["run_sequence"] == 2
    found = one(psql, "select name from pgreprise.servers() where %s = any (logical_shards)", CALIFORNIA)
    assert found == {"name": "c"}


def test_a_new_server_that_the_router_does_not_know_is_reached_as_the_command_reaches_it(
    shards: Shards, new_server: str, psql: Connection, poolers: Poolers
) -> None:
    report = shards.add_report("ca")
    itself = shards.url("b").set(database=new_server)
    succeeded(typed(shards, direct(shards) | {"c": plain(itself)}, "move", str(CALIFORNIA), "--to", "c"))
    assert target_of(psql, CALIFORNIA) == connection_of(itself)
    assert rerun(psql, report)["run_sequence"] == 2
    # Until the router is made anew.
    pooled = poolers["b"].url.set(database=new_server)
    text = succeeded(typed(shards, through(poolers) | {"c": plain(pooled)}, "router"))
    run_script(shards.fleet.of_routers, shards.database, text)
    assert target_of(psql, CALIFORNIA) == connection_of(pooled)
    assert rerun(psql, report)["run_sequence"] == 3


@pytest.mark.parametrize(
    "arguments",
    [("move", str(CALIFORNIA), "--to", "a"), ("map",), ("check", "1"), ("forget", "1", "--yes"), ("migrate",),
     ("prepare", "a")],
    ids=lambda arguments: arguments[0],
)  # fmt: skip
def test_commands_that_set_and_lock_refuse_to_go_through_a_pooler(
    shards: Shards, poolers: Poolers, arguments: tuple[str, ...]
) -> None:
    done = typed(shards, through(poolers), *arguments)
    assert done.returncode == 1
    assert "Server a: the connection goes through a pooler (PgBouncer or its like)." in done.stderr
    # What they would have set and locked would be there for the next client.
    with connect(poolers["a"].url) as client:
        found = client.execute("select name from pg_settings where source = 'session' and name <> 'application_name'")
        assert found.fetchall() == []
    assert rows(shards.url("a"), "select from pg_locks where locktype = 'advisory'") == []


def test_a_move_that_would_tell_a_router_through_a_pooler_is_refused(
    shards: Shards, psql: Connection, pooler_folder: Path
) -> None:
    of_routers = shards.fleet.of_routers
    [new] = set(shards.fleet.servers) - {shards.home(CALIFORNIA)}
    before = Pooler(of_routers.programs, of_routers.programs.own(pooler_folder), shards.router, ("postgres",))
    before.start()
    try:
        arguments = ("shard", "move", str(CALIFORNIA), "--to", new)
        settings = {"PGREPRISE_SHARDS": " ".join(f"{name}={url}" for name, url in direct(shards).items())}
        pooled, itself = plain(before.url), plain(shards.router)
        alone = run_here(*arguments, **settings, DATABASE_URL=pooled)
        one_of_two = run_here(*arguments, **settings, DATABASE_URL=itself, PGREPRISE_ROUTERS=f"r={itself} s={pooled}")
    finally:
        before.stop()
    said = "goes through a pooler (PgBouncer or its like). Nothing was changed."
    assert [(done.returncode, said in done.stderr) for done in (alone, one_of_two)] == [(1, True)] * 2
    kept = "select state from pgreprise.logical_shard where logical_shard = %s"
    assert rows(shards.url(shards.home(CALIFORNIA)), kept, CALIFORNIA) == [{"state": "held"}]
    # Past the pooler it goes on.
    succeeded(run_here(*arguments, **settings, DATABASE_URL=pooled, PGREPRISE_MIGRATION_URL=itself))
    holder = one(psql, "select name from pgreprise.servers() where %s = any (logical_shards)", CALIFORNIA)
    assert holder == {"name": new}
