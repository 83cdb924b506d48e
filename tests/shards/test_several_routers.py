"""Several routers before the same servers: a move tells all of them, and one that was not told loses nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL

from tests.support.databases import connect, plain, rows
from tests.support.fleets import Shards, another_router, closed
from tests.support.moving import Fleet, Mover, named
from tests.support.statements import one
from tests.support.workers import until

pytestmark = pytest.mark.needs("plproxy", "time")

# state/ca of us, and another logical shard of the same server.
CALIFORNIA, OTHER = 31, 33
KEY = "key of a client"


@pytest.fixture
def routers(shards: Shards) -> Iterator[dict[str, URL]]:
    """Both routers by name."""
    with another_router(shards) as second:
        yield {"r1": shards.router, "r2": second}


@pytest.fixture
def fleet(shards: Shards, routers: dict[str, URL]) -> Fleet:
    """The servers, as commands know them that know all routers."""
    urls = {name: shards.url(name) for name in shards.fleet.servers}
    return Fleet(urls, {"PGREPRISE_SHARDS": named(urls), "PGREPRISE_ROUTERS": named(routers)})


@pytest.fixture
def old(shards: Shards, old: str) -> str:
    """The server that has both logical shards."""
    assert shards.home(OTHER) == old
    return old


def sent_to(router: URL, shard: int = CALIFORNIA) -> str:
    """The server to which a router sends a logical shard."""
    [row] = rows(router, "select name from pgreprise.servers() where %s = any (logical_shards)", shard)
    name: str = row["name"]
    return name


def rerun_once(router: URL, report: int) -> dict[str, Any]:
    """What a client does that repeats its request until it is answered."""
    with connect(router) as connection:
        found: dict[str, Any] = one(connection, "call rerun_report(%s, idempotency_key => %s)", report, KEY)["result"]
        return found


def refusal(router: URL, report: int) -> str | None:
    with pytest.raises(psycopg.Error) as refused:
        rerun_once(router, report)
    return refused.value.sqlstate


def acts(fleet: Fleet) -> int:
    """The reruns on all servers."""
    counted = fleet.rows("select count(*) as acts from pgreprise.rerun")
    return sum(row["acts"] for [row] in counted.values())


def wrong(fleet: Fleet) -> dict[int, str]:
    """What the map says is wrong."""
    done = fleet.do("map", "--json")
    found = {row["logical_shard"]: row["wrong"] for row in json.loads(done.stdout)["logical_shards"] if row["wrong"]}
    assert done.returncode == (1 if found else 0)
    return found


@contextmanager
def telling(router: URL, fleet: Fleet, *arguments: str) -> Iterator[tuple[Mover, Callable[[], None]]]:
    """The command, where it waits to tell a router; and what lets it go on."""
    with connect(router, autocommit=False) as holder, connect(router) as watcher, fleet.started(*arguments) as mover:
        holder.execute("alter server pgreprise options (set p5 'dbname=nowhere')")
        mover.release()
        mover.wait_until_blocked(watcher)
        yield mover, holder.rollback


def test_a_move_tells_all_routers(fleet: Fleet, routers: dict[str, URL], report: int, old: str, new: str) -> None:
    said = fleet.did("move", f"{CALIFORNIA},{OTHER}", "--to", new)
    assert said.splitlines() == [
        line
        for number in (CALIFORNIA, OTHER)
        for line in (
            f"logical shard {number}: moved from {old} to {new}",
            f"logical shard {number}: router r1 sends it to {new}",
            f"logical shard {number}: router r2 sends it to {new}",
        )
    ]
    assert {sent_to(url, number) for url in routers.values() for number in (CALIFORNIA, OTHER)} == {new}
    assert rerun_once(routers["r1"], report) == rerun_once(routers["r2"], report)
    assert acts(fleet) == 1
    assert wrong(fleet) == {}
    [told] = json.loads(fleet.did("move", str(CALIFORNIA), "--to", new, "--json"))
    assert told["routers_switched"] == []
    fleet.did("forget", f"{CALIFORNIA},{OTHER}", "--yes")
    [told] = json.loads(fleet.did("move", str(CALIFORNIA), "--to", old, "--json"))
    assert told["routers_switched"] == ["r1", "r2"]


def test_a_router_that_was_not_told_is_refused_and_is_mended_by_the_command(
    fleet: Fleet, shards: Shards, routers: dict[str, URL], report: int, old: str, new: str
) -> None:
    before = fleet.contents()
    # The operator has forgotten that there are two.
    forgetful = Fleet(fleet.urls, {"PGREPRISE_SHARDS": named(fleet.urls), "DATABASE_URL": plain(shards.router)})
    forgetful.did("move", str(CALIFORNIA), "--to", new)
    assert (sent_to(routers["r1"]), sent_to(routers["r2"])) == (new, old)
    assert refusal(routers["r2"], report) == "RR034"
    assert fleet.contents() == before
    with connect(routers["r2"]) as stale:
        for called, values in (
            ("select * from claim_report('worker', report_id => %s)", (report,)),
            ("select get_or_create_simulation('us', 'ca', 'geography', 4711)", None),
            ("select * from get_report(%s)", (report,)),
        ):
            with pytest.raises(psycopg.Error) as refused:
                stale.execute(called.encode(), values)
            assert refused.value.sqlstate == "RR034", called
    assert fleet.contents() == before
    # The same when nothing is kept there any more.
    forgetful.did("forget", str(CALIFORNIA), "--yes")
    assert refusal(routers["r2"], report) == "RR034"
    assert fleet.contents() == before

    done = rerun_once(routers["r1"], report)
    assert wrong(fleet) == {CALIFORNIA: "router r2 looks elsewhere"}
    told = fleet.do("map")
    assert f"r1: {new}, r2: {old}" in told.stdout
    assert f"To tell the routers: pgreprise shard move {CALIFORNIA} --to {new}" in told.stdout
    assert fleet.did("move", str(CALIFORNIA), "--to", new).splitlines() == [
        f"logical shard {CALIFORNIA}: is on {new}",
        f"logical shard {CALIFORNIA}: router r2 sends it to {new}",
    ]
    assert rerun_once(routers["r2"], report) == done
    assert acts(fleet) == 1
    assert wrong(fleet) == {}


def test_a_command_that_is_killed_between_two_routers_is_given_again(
    fleet: Fleet, routers: dict[str, URL], report: int, old: str, new: str
) -> None:
    with telling(routers["r2"], fleet, "move", str(CALIFORNIA), "--to", new) as (mover, let_go):
        mover.kill()
        waiting = (
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where application_name = 'pgreprise' and datname = current_database()"
        )
        until(lambda: rows(routers["r2"], waiting))
        let_go()
    assert (sent_to(routers["r1"]), sent_to(routers["r2"])) == (new, old)
    done = rerun_once(routers["r1"], report)
    before = fleet.contents()
    # The client's next attempt comes to the other one.
    assert refusal(routers["r2"], report) == "RR034"
    assert fleet.contents() == before
    assert wrong(fleet) == {CALIFORNIA: "router r2 looks elsewhere"}
    assert f"router r2 sends it to {new}" in fleet.did("move", str(CALIFORNIA), "--to", new)
    assert rerun_once(routers["r2"], report) == done
    assert (fleet.contents(), acts(fleet), wrong(fleet)) == (before, 1, {})


@pytest.mark.parametrize("lost", ["r1", "r2"])
def test_a_router_that_goes_away_during_a_move_is_named_and_told_by_the_same_command(
    fleet: Fleet, shards: Shards, routers: dict[str, URL], report: int, old: str, new: str, lost: str
) -> None:
    [other] = set(routers) - {lost}
    command = ("move", f"{CALIFORNIA},{OTHER}", "--to", new)
    with (
        connect(fleet.urls[new]) as watcher,
        connect(fleet.urls[new], autocommit=False) as holder,
        fleet.started(*command) as mover,
        ExitStack() as meanwhile,
    ):
        holder.execute("lock table pgreprise.rerun_key in exclusive mode")
        mover.release()
        mover.wait_until_blocked(watcher)
        meanwhile.enter_context(closed(shards, routers[lost]))
        holder.rollback()
        assert mover.ended() == 1
        # Both were moved, and the other router knows.
        assert [fleet.holders()[number] for number in (CALIFORNIA, OTHER)] == [[new], [new]]
        assert (sent_to(routers[other]), sent_to(routers[other], OTHER)) == (new, new)
        rerun_once(routers[other], report)
        said = " ".join(mover.errors.split())
        assert f"Router {lost} was not told that 2 logical shards ({CALIFORNIA}, {OTHER}) moved to {new}: " in said
        assert f"Router {other}" not in said
        assert "The move is done." in said
        assert "Give the same command again: it tells the router." in said
        away = fleet.do("map", "--json")
        assert (away.returncode, list(json.loads(away.stdout)["routers_away"])) == (1, [lost])
        assert f"Router {lost}: " in fleet.do("map").stderr
    assert sent_to(routers[lost]) == old
    assert refusal(routers[lost], report) == "RR034"
    fleet.did(*command)
    assert (sent_to(routers[lost]), sent_to(routers[lost], OTHER)) == (new, new)
    rerun_once(routers[lost], report)
    assert (acts(fleet), wrong(fleet)) == (1, {})


def test_a_router_that_was_restarted_meanwhile_is_told(
    fleet: Fleet, shards: Shards, routers: dict[str, URL], new: str
) -> None:
    with (
        connect(fleet.urls[new]) as watcher,
        connect(fleet.urls[new], autocommit=False) as holder,
        fleet.started("move", str(CALIFORNIA), "--to", new) as mover,
    ):
        holder.execute("lock table pgreprise.rerun_key in exclusive mode")
        mover.release()
        mover.wait_until_blocked(watcher)
        with closed(shards, routers["r2"]):
            pass
        holder.rollback()
        assert (mover.ended(), mover.errors) == (0, "")
    assert (sent_to(routers["r1"]), sent_to(routers["r2"])) == (new, new)


def test_a_move_goes_on_while_a_router_is_away_from_the_beginning_but_not_without_any(
    fleet: Fleet, shards: Shards, routers: dict[str, URL], new: str
) -> None:
    with closed(shards, routers["r2"]):
        done = fleet.do("move", str(CALIFORNIA), "--to", new, "--json")
        assert (done.returncode, "Router r2 was not told" in done.stderr) == (1, True)
        [moved, failed] = json.loads(done.stdout)
        assert (moved["status"], moved["logical_shard"], moved["routers_switched"]) == ("ok", CALIFORNIA, ["r1"])
        assert (failed["status"], "Router r2 was not told" in failed["message"]) == ("error", True)
        assert (fleet.holders()[CALIFORNIA], sent_to(routers["r1"])) == ([new], new)
        before = fleet.rows("select * from pgreprise.logical_shard order by logical_shard")
        with closed(shards, routers["r1"]):
            done = fleet.do("move", str(OTHER), "--to", new, "--json")
            assert (done.returncode, "Nothing was changed." in json.loads(done.stdout)["error"]["message"]) == (1, True)
        assert fleet.rows("select * from pgreprise.logical_shard order by logical_shard") == before
    assert wrong(fleet) == {CALIFORNIA: "router r2 looks elsewhere"}
    fleet.did("move", str(CALIFORNIA), "--to", new)
    assert wrong(fleet) == {}


def test_who_was_not_told_is_named_also_when_the_next_logical_shard_cannot_be_moved(
    fleet: Fleet, shards: Shards, routers: dict[str, URL], old: str, new: str
) -> None:
    with connect(fleet.urls[old]) as server:
        server.execute(
            "create function public.stays() returns trigger language plpgsql as $$begin raise 'It stays.'; end$$; "
            "create trigger stays before update on pgreprise.logical_shard for each row "
            f"when (new.logical_shard = {OTHER}) execute function public.stays()"
        )
    with closed(shards, routers["r2"]):
        done = fleet.do("move", f"{CALIFORNIA},{OTHER}", "--to", new, "--json")
    [moved, failed] = json.loads(done.stdout)
    assert (done.returncode, moved["logical_shard"], moved["routers_switched"]) == (1, CALIFORNIA, ["r1"])
    assert "It stays." in failed["message"]
    assert f"Router r2 was not told that 1 logical shard ({CALIFORNIA}) moved to {new}: " in failed["message"]
    assert failed["message"] in done.stderr


def test_a_router_that_cannot_be_told_stops_the_move_when_the_others_were_told(
    fleet: Fleet, routers: dict[str, URL], old: str, new: str
) -> None:
    with connect(routers["r1"]) as router:
        router.execute("alter function pgreprise.send_shard(integer, text, text) rename to send_no_shard")
    done = fleet.do("move", f"{CALIFORNIA},{OTHER}", "--to", new, "--json")
    [moved, failed] = json.loads(done.stdout)
    assert (done.returncode, moved["logical_shard"], failed["status"]) == (1, CALIFORNIA, "error")
    assert moved["routers_switched"] == ["r2"]
    assert f"Router r1 was not told that 1 logical shard ({CALIFORNIA}) moved to {new}: " in done.stderr
    assert (sent_to(routers["r1"]), sent_to(routers["r2"])) == (old, new)
    # Its users would be refused for each further one.
    assert (fleet.holders()[CALIFORNIA], fleet.holders()[OTHER]) == ([new], [old])
    with connect(routers["r1"]) as router:
        router.execute("alter function pgreprise.send_no_shard(integer, text, text) rename to send_shard")
    fleet.did("move", f"{CALIFORNIA},{OTHER}", "--to", new)
    assert wrong(fleet) == {}


def test_nothing_is_moved_where_one_of_the_routers_sends_calls_to_a_server_that_is_not_named(
    fleet: Fleet, routers: dict[str, URL], new: str
) -> None:
    with connect(routers["r2"]) as router:
        router.execute("update pgreprise.server_name set name = 'z' where name = 'a'")
    before = fleet.rows("select * from pgreprise.logical_shard order by logical_shard")
    refused = fleet.do("move", str(CALIFORNIA), "--to", new)
    assert refused.returncode == 1
    assert "Router r2 sends calls to z. PGREPRISE_SHARDS must name all servers. Nothing was changed." in refused.stderr
    assert fleet.rows("select * from pgreprise.logical_shard order by logical_shard") == before
