"""An operator types `pgreprise` with a router as DATABASE_URL, and makes a router."""

from __future__ import annotations

import json

import psycopg
import pytest

from tests.support.command import Done, run_here, succeeded
from tests.support.databases import Connection, connect, plain
from tests.support.economy_cache import RedisServer
from tests.support.fleets import Shards, away, run_script
from tests.support.statements import one, rerun

pytestmark = pytest.mark.needs("plproxy", "time")


def typed(shards: Shards, *arguments: str, **settings: str) -> Done:
    """A command at the router; the servers are known to it."""
    servers = " ".join(f"{name}={plain(shards.url(name))}" for name in shards.fleet.servers)
    return run_here(*arguments, DATABASE_URL=plain(shards.router), PGREPRISE_SHARDS=servers, **settings)


def problems(shards: Shards) -> list[str]:
    """What the doctor says of the servers and the router."""
    return [finding["message"] for finding in json.loads(typed(shards, "doctor", "--json").stdout)]


def test_a_report_is_rerun_looked_at_and_undone(shards: Shards) -> None:
    report = shards.add_report("ca")
    [result] = json.loads(succeeded(typed(shards, "rerun", "us", str(report), "--json")))
    assert result["report_id"] == report
    assert str(result["rerun_id"]) in succeeded(typed(shards, "history"))
    succeeded(typed(shards, "undo", str(result["rerun_id"])))
    assert typed(shards, "rerun", "us", "6399936").returncode == 1


def test_a_batch_is_run(shards: Shards, psql: Connection) -> None:
    shards.reports(2)
    assert typed(shards, "rerun-batch", "--country", "us").returncode == 0
    assert one(psql, "select state, rerun from rerun_batches()") == {"state": "finished", "rerun": 4}


@pytest.mark.needs("redis")
def test_the_cache_in_redis_forgets_what_reruns_on_every_server_emptied(shards: Shards, psql: Connection) -> None:
    reports = shards.reports(2)
    for ids in reports.values():
        rerun(psql, ids[0])
    with RedisServer() as redis:
        settings = redis.settings
        told = json.loads(succeeded(typed(shards, "invalidate", "--once", "--json", **settings)))
        assert (told["acts"], told["scopes"], told["positions"]) == (2, 2, {"a": 1, "b": 1})
        rerun(psql, reports["b"][1])
        with away(shards, "a"):
            done = typed(shards, "invalidate", "--once", "--json", **settings)
        # What the other server has is done, and the command says what it could not do.
        assert done.returncode == 1
        assert "The server of logical shard 0 cannot be reached." in done.stdout
        told = json.loads(succeeded(typed(shards, "invalidate", "--once", "--json", **settings)))
        assert (told["acts"], told["positions"]) == (0, {"a": 1, "b": 2})


def test_the_command_prints_the_router_that_there_is(shards: Shards, psql: Connection) -> None:
    text = succeeded(typed(shards, "shard", "router"))
    run_script(shards.fleet.of_routers, shards.database, text)
    report = shards.add_report("ca")
    assert one(psql, "call rerun_report(%s)", report)["result"]["report_id"] == report


def test_the_doctor_finds_nothing_in_a_router_whose_servers_agree(shards: Shards) -> None:
    for country in ("uk", "ca", "ng", "il"):
        shards.everywhere(f"select set_cache_versions('{country}', '1', '1', '1')")
    assert problems(shards) == []


def test_the_doctor_names_what_differs_between_the_servers(shards: Shards) -> None:
    with connect(shards.url("b")) as server:
        server.execute("select set_setting('largest_batch', '7')")
        server.execute("select set_cache_versions('uk', package => 'other')")
        server.execute("update pgreprise.logical_shard set state = 'absent' where logical_shard = 5")
        server.execute("update pgreprise.routine_version set checksum = 'edited' where name = 'reports/get_report'")
    with connect(shards.router) as router:
        router.execute("update pgreprise.routed set checksum = 'former' where name = 'undo_rerun'")
    assert {
        "Server b has other settings than a: largest_batch.",
        "Server b has other versions of countries than a: uk.",
        "Server b has other routines than a: reports/get_report.",
        "The router sends logical shard 5 to b, which does not hold it.",
        "The router is older than its servers: undo_rerun.",
    } <= set(problems(shards))


def test_the_doctor_names_a_server_that_is_away(shards: Shards) -> None:
    with away(shards, "b"):
        assert any(message.startswith("Server b does not answer: ") for message in problems(shards))


def test_carbon_keeps_logical_shard_0_where_it_is(shards: Shards, psql: Connection) -> None:
    with connect(shards.url("a")) as server:
        server.execute("insert into public.units (institutional_id, name) values ('u1', 'Unit one')")
    done = typed(shards, "shard", "move", "0", "--to", "b")
    assert done.returncode == 1
    assert "The carbon data is on this server, and logical shard 0 stays with it." in done.stdout + done.stderr
    holder = "select name from pgreprise.servers() where %s = any (logical_shards)"
    assert one(psql, holder, 0) == {"name": "a"}
    assert one(psql, "select name from find_carbon_units()") == {"name": "Unit one"}
    # The others move, and it moves once nothing of carbon is there.
    succeeded(typed(shards, "shard", "move", "2", "--to", "b"))
    with connect(shards.url("a")) as server:
        server.execute("delete from public.units")
    succeeded(typed(shards, "shard", "move", "0", "--to", "b"))
    assert (one(psql, holder, 2), one(psql, holder, 0)) == ({"name": "b"}, {"name": "b"})


def test_a_claim_of_a_report_that_has_left_its_server_is_refused_as_moved(shards: Shards, psql: Connection) -> None:
    report = shards.add_report("ca")
    rerun(psql, report)
    old = shards.home_of("ca")
    [new] = set(shards.fleet.servers) - {old}
    number = one(psql, "select pgreprise.shard_of('report', %s) as number", report)["number"]
    succeeded(typed(shards, "shard", "move", str(number), "--to", new))
    claim = "select claim_id from claim_report('worker', report_id => %s)"
    # A router that was not told of the move.
    with connect(shards.router) as router:
        connection = shards.fleet.connection(old, shards.database)
        router.execute(f"alter server pgreprise options (set p{number} '{connection}')".encode())
    with pytest.raises(psycopg.Error) as caught:
        psql.execute(claim, (report,))
    assert caught.value.diag.sqlstate == "RR034"
    succeeded(typed(shards, "shard", "move", str(number), "--to", new))
    assert len(psql.execute(claim, (report,)).fetchall()) == 1
