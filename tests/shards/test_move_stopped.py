"""The command that moves a logical shard is killed at each of its steps, and given again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.support.databases import connect, rows
from tests.support.factories import set_versions
from tests.support.moving import Fleet
from tests.support.statements import rerun
from tests.support.workers import until

pytestmark = pytest.mark.needs("time")

CALIFORNIA, REPORT = 31, 102
# All of us.
US = 33

# The commit after which a logical shard has left, or is held, waits as long as somebody holds this lock.
_SLOW_COMMIT = (
    "create function public.wait() returns trigger language plpgsql as "
    "$$begin perform pg_advisory_xact_lock(4711); return null; end$$;"
    "create constraint trigger slow after update on pgreprise.logical_shard deferrable initially deferred "
    "for each row when (new.state in ('left', 'held')) execute function public.wait();"
)
# Where the command waits: the server, what holds it there, and the state that its rows are in when it is killed there.
POINTS = {
    "before it begins": ("a", "select 1 from pgreprise.logical_shard for update"),
    "when it refuses writes of the first table": ("a", "lock table public.simulations in row exclusive mode"),
    "when it refuses writes of a later table": ("a", "lock table pgreprise.claim in row exclusive mode"),
    "when it numbers acts": ("a", "select 1 from pgreprise.rerun_feed_counter for update"),
    "when it copies the first table": ("b", "lock table public.simulations in exclusive mode"),
    "when it copies the last table": ("b", "lock table pgreprise.rerun_key in exclusive mode"),
    "when it takes the rows out": ("a", "select 1 from public.simulations for update"),
    "when that is committed": ("a", "select pg_advisory_xact_lock(4711)"),
    "between the two commits": ("b", "select pg_advisory_xact_lock(4711)"),
}
_BACKENDS = "from pg_stat_activity where application_name = 'pgreprise' and datname = current_database()"


@contextmanager
def held(fleet: Fleet, point: str) -> Iterator[Callable[[], None]]:
    """Holds what the command waits for at a point; gives what lets it go."""
    name, statement = POINTS[point]
    if "advisory" in statement:
        with connect(fleet.urls[name]) as before:
            before.execute(_SLOW_COMMIT.encode())
    with connect(fleet.urls[name], autocommit=False) as holder:
        holder.execute(statement.encode())
        yield holder.rollback


def ended(fleet: Fleet) -> None:
    """Wait until no server works for the command any more."""
    for name in fleet.urls:
        until(lambda name=name: not rows(fleet.urls[name], f"select {_BACKENDS}"))  # type: ignore[misc]


def lived_twice(fleet: Fleet) -> bool:
    return any(len(names) > 1 for names in fleet.holders().values())


@pytest.mark.parametrize("kills_servers_too", [False, True], ids=["the command", "the command and its connections"])
@pytest.mark.parametrize("point", POINTS)
def test_nothing_is_lost_and_nothing_is_live_twice(fleet: Fleet, point: str, kills_servers_too: bool) -> None:
    with connect(fleet.urls["a"]) as a:
        set_versions(a)
        rerun(a, REPORT)
    before = fleet.contents()
    with held(fleet, point) as let_go, fleet.started("move", str(CALIFORNIA), "--to", "b", "--no-router") as mover:
        mover.release()
        with connect(fleet.urls[POINTS[point][0]]) as watcher:
            mover.wait_until_blocked(watcher)
        mover.kill()
        if kills_servers_too:
            for url in fleet.urls.values():
                rows(url, f"select pg_terminate_backend(pid) {_BACKENDS}")
            ended(fleet)
        let_go()
    ended(fleet)

    assert not lived_twice(fleet)
    if fleet.holders()[CALIFORNIA]:
        # The rows are live once.
        assert fleet.contents() == before
    else:
        assert fleet.state("a", CALIFORNIA) == "left"
        assert fleet.contents() != before

    done = fleet.move(str(CALIFORNIA), "b")
    assert (done.returncode, done.stderr) == (0, "")
    assert fleet.contents() == before
    assert fleet.holders()[CALIFORNIA] == ["b"]
    fleet.did("forget", str(CALIFORNIA), "--yes")
    assert fleet.contents() == before
    # It can be written there, and comes back.
    with connect(fleet.urls["b"]) as b:
        set_versions(b)
        rerun(b, REPORT)
    later = fleet.contents()
    assert fleet.move(str(CALIFORNIA), "a").returncode == 0
    assert fleet.contents() == later


@pytest.mark.parametrize("point", ["when it copies the last table", "between the two commits"])
def test_a_move_that_was_stopped_can_be_given_up(fleet: Fleet, point: str) -> None:
    before = fleet.contents()
    with held(fleet, point) as let_go, fleet.started("move", str(CALIFORNIA), "--to", "b", "--no-router") as mover:
        mover.release()
        with connect(fleet.urls["b"]) as watcher:
            mover.wait_until_blocked(watcher)
        mover.kill()
        for url in fleet.urls.values():
            rows(url, f"select pg_terminate_backend(pid) {_BACKENDS}")
        ended(fleet)
        let_go()
    done = fleet.move(str(CALIFORNIA), "a")
    assert (done.returncode, done.stderr) == (0, "")
    assert fleet.contents() == before
    assert fleet.holders()[CALIFORNIA] == ["a"]
    assert fleet.rows("select tgname from pg_trigger where tgname = 'pgreprise_refuse_moved' and tgenabled <> 'D'") == {
        "a": [],
        "b": [],
    }
    with connect(fleet.urls["a"]) as a:
        set_versions(a)
        rerun(a, REPORT)


@pytest.mark.parametrize("name", ["a", "b"])
@pytest.mark.parametrize("point", ["when it copies the last table", "when it takes the rows out"])
def test_a_connection_that_ends_in_the_middle_leaves_everything_as_before(fleet: Fleet, point: str, name: str) -> None:
    before = fleet.contents()
    with held(fleet, point) as let_go, fleet.started("move", str(CALIFORNIA), "--to", "b", "--no-router") as mover:
        mover.release()
        with connect(fleet.urls[POINTS[point][0]]) as watcher:
            mover.wait_until_blocked(watcher)
        rows(fleet.urls[name], f"select pg_terminate_backend(pid) {_BACKENDS}")
        let_go()
        code = mover.ended()
    if (name, point) == ("b", "when it takes the rows out"):
        # By then server a has taken them out, and keeps them.
        assert (code, fleet.state("a", CALIFORNIA), fleet.holders()[CALIFORNIA]) == (1, "left", [])
        assert f"Logical shard {CALIFORNIA} has left a, which keeps it" in mover.errors
        assert "--to a to take it back" in mover.errors
    else:
        assert (code, fleet.state("a", CALIFORNIA), fleet.holders()[CALIFORNIA]) == (1, "held", ["a"])
        assert fleet.contents() == before
    assert fleet.move(str(CALIFORNIA), "b").returncode == 0
    assert fleet.contents() == before


def test_ctrl_c_gives_the_move_up(fleet: Fleet) -> None:
    before = fleet.contents()
    point = "when it copies the last table"
    with held(fleet, point) as let_go, fleet.started("move", str(CALIFORNIA), "--to", "b", "--no-router") as mover:
        mover.release()
        with connect(fleet.urls["b"]) as watcher:
            mover.wait_until_blocked(watcher)
        mover.interrupt()
        code = mover.ended()
        let_go()
    assert code == 130
    assert fleet.state("a", CALIFORNIA) == "held"
    assert fleet.contents() == before


def test_ctrl_c_tells_in_json_what_was_moved_before(fleet: Fleet) -> None:
    with connect(fleet.urls["a"]) as a, connect(fleet.urls["a"], autocommit=False) as holder:
        a.execute(
            "create function public.wait() returns trigger language plpgsql as "
            "$$begin perform pg_advisory_xact_lock(4711); return new; end$$; "
            "create trigger waits before update on pgreprise.logical_shard for each row "
            f"when (new.logical_shard = {US}) execute function public.wait()"
        )
        holder.execute("select pg_advisory_xact_lock(4711)")
        with fleet.started("move", f"{CALIFORNIA},{US}", "--to", "b", "--no-router", "--json") as mover:
            mover.release()
            mover.wait_until_blocked(a)
            mover.interrupt()
            holder.rollback()
            code = mover.ended()
    moved, failed = json.loads(mover.output)
    assert (code, moved["logical_shard"], failed) == (130, CALIFORNIA, {"status": "error", "message": "Stopped."})
    assert (fleet.holders()[CALIFORNIA], fleet.holders()[US]) == (["b"], ["a"])


def test_a_server_that_is_away_changes_nothing(fleet: Fleet) -> None:
    before = fleet.contents()
    away = Fleet(
        fleet.urls, {"PGREPRISE_SHARDS": f"{fleet.settings['PGREPRISE_SHARDS']} c=postgresql://nobody@127.0.0.1:1/c"}
    )
    refused = away.move(str(CALIFORNIA), "b")
    assert refused.returncode == 1
    assert "Server c:" in refused.stderr
    assert fleet.contents() == before
    told = away.do("map", "--no-router")
    assert (told.returncode, "Server c:" in told.stderr) == (1, True)


def test_a_database_that_ends_idle_transactions_lets_the_target_wait(fleet: Fleet) -> None:
    before = fleet.contents()
    with connect(fleet.urls["b"]) as b:
        b.execute(f'alter database "{fleet.urls["b"].database}" set idle_in_transaction_session_timeout = 1'.encode())
    # The source waits for this, and the target for the source.
    held_there = held(fleet, "when it takes the rows out")
    with held_there as let_go, fleet.started("move", str(CALIFORNIA), "--to", "b", "--no-router") as mover:
        mover.release()
        with connect(fleet.urls["a"]) as watcher:
            mover.wait_until_blocked(watcher)
        let_go()
        assert (mover.ended(), mover.errors) == (0, "")
    assert (fleet.contents(), fleet.holders()[CALIFORNIA]) == (before, ["b"])
