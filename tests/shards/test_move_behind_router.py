"""A logical shard is moved while people work through the router."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.databases import Connection, connect, plain, rows
from tests.support.fleets import Shards
from tests.support.moving import Fleet, named
from tests.support.statements import one, rerun, undo
from tests.support.workers import until

pytestmark = pytest.mark.needs("plproxy")

# state/ca of us.
CALIFORNIA = 31


@pytest.fixture
def fleet(shards: Shards) -> Fleet:
    """The servers behind the router, as the commands know them."""
    urls = {name: shards.url(name) for name in shards.fleet.servers}
    return Fleet(urls, {"PGREPRISE_SHARDS": named(urls), "DATABASE_URL": plain(shards.router)})


def sent_to(psql: Connection) -> str:
    """The server to which the router sends the logical shard."""
    found = one(psql, "select name from pgreprise.servers() where %s = any (logical_shards)", CALIFORNIA)
    name: str = found["name"]
    return name


def refusal(psql: Connection, report: int) -> str | None:
    with pytest.raises(psycopg.Error) as refused:
        rerun(psql, report)
    return refused.value.sqlstate


def test_calls_go_to_the_new_server_after_the_move(
    fleet: Fleet, psql: Connection, report: int, old: str, new: str
) -> None:
    act = rerun(psql, report)["rerun_id"]
    said = fleet.did("move", str(CALIFORNIA), "--to", new)
    assert f"logical shard {CALIFORNIA}: moved from {old} to {new}" in said
    assert f"logical shard {CALIFORNIA}: the router sends it to {new}" in said
    assert sent_to(psql) == new
    undo(psql, act)
    assert rows(fleet.urls[new], "select count(*) as acts from pgreprise.rerun") == [{"acts": 2}]
    assert rows(fleet.urls[old], "select count(*) as acts from pgreprise.rerun") == [{"acts": 0}]
    history = psql.execute("select kind from rerun_history(report_id => %s)", (report,)).fetchall()
    assert sorted(row["kind"] for row in history) == ["rerun", "undo"]
    # Nothing is done by a second command, and the first server is as good a home as before.
    assert fleet.did("move", str(CALIFORNIA), "--to", new) == f"logical shard {CALIFORNIA}: is on {new}\n"
    fleet.did("move", str(CALIFORNIA), "--to", old)
    assert sent_to(psql) == old
    rerun(psql, report)


def test_a_write_through_the_router_is_refused_while_the_rows_are_copied(
    fleet: Fleet, shards: Shards, psql: Connection, report: int, new: str
) -> None:
    [other] = shards.populations(new, 1)
    with (
        connect(fleet.urls[new]) as watcher,
        connect(fleet.urls[new], autocommit=False) as holder,
        fleet.started("move", str(CALIFORNIA), "--to", new) as mover,
    ):
        holder.execute("lock table pgreprise.rerun_key in exclusive mode")
        mover.release()
        mover.wait_until_blocked(watcher)
        assert refusal(psql, report) == "RR034"
        assert one(psql, "select status from get_report(%s)", report)["status"] == "complete"
        rerun(psql, shards.add_report(other))
        holder.rollback()
        assert mover.ended() == 0
    rerun(psql, report)


def test_a_move_that_ends_before_the_router_is_told_is_told_by_the_next_command(
    fleet: Fleet, shards: Shards, psql: Connection, report: int, old: str, new: str
) -> None:
    with (
        connect(shards.router, autocommit=False) as holder,
        fleet.started("move", str(CALIFORNIA), "--to", new) as mover,
    ):
        connection = one(holder, "select connection from pgreprise.server_name where name = %s", new)["connection"]
        holder.execute(f"alter server pgreprise options (set p5 '{connection}')".encode())
        mover.release()
        mover.wait_until_blocked(psql)
        mover.kill()
        waiting = (
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where application_name = 'pgreprise' and datname = current_database()"
        )
        until(lambda: psql.execute(waiting.encode()).fetchall())
        holder.rollback()
    assert fleet.holders()[CALIFORNIA] == [new]
    assert sent_to(psql) == old
    assert refusal(psql, report) == "RR034"
    wrong = fleet.do("map")
    assert (wrong.returncode, "the router looks elsewhere" in wrong.stdout) == (1, True)

    assert f"the router sends it to {new}" in fleet.did("move", str(CALIFORNIA), "--to", new)
    assert sent_to(psql) == new
    rerun(psql, report)
    assert fleet.do("map").returncode == 0


def test_the_doctor_names_moves_that_nobody_finished_and_copies_that_nobody_needs(
    fleet: Fleet, psql: Connection, old: str, new: str
) -> None:
    fleet.did("move", str(CALIFORNIA), "--to", new)
    with connect(fleet.urls[old]) as server:
        server.execute(
            "update pgreprise.logical_shard set changed_at = now() - interval '8 days' where logical_shard = %s",
            (CALIFORNIA,),
        )
        other = one(server, "select min(logical_shard) as number from pgreprise.logical_shard where state = 'held'")
        server.execute(
            "update pgreprise.logical_shard set state = 'leaving', changed_at = now() - interval '2 hours' "
            "where logical_shard = %s",
            (other["number"],),
        )
    found = {row["message"]: row["remedy"] for row in psql.execute("select * from pgreprise.router_findings()")}
    assert f"Logical shard {other['number']} is leaving server {old} since 2 hours, and refuses writes." in found
    kept = f"Server {old} keeps copies of 1 logical shards that left it a week ago or earlier."
    assert found[kept] == f"pgreprise shard forget {CALIFORNIA}"


def test_nothing_is_moved_where_the_router_sends_calls_to_a_server_that_is_not_named(
    fleet: Fleet, psql: Connection, report: int, old: str, new: str
) -> None:
    rerun(psql, report)
    for target in (new, old):
        fleet.did("move", str(CALIFORNIA), "--to", target)
    # What the new one has is a copy of before: without the other server it would look as if it were the only one.
    assert fleet.state(new, CALIFORNIA) == "left"
    before = fleet.rows("select * from pgreprise.logical_shard order by logical_shard")
    contents = fleet.contents()
    forgetful = Fleet(fleet.urls, fleet.settings | {"PGREPRISE_SHARDS": f"{new}={plain(fleet.urls[new])}"})
    refused = forgetful.do("move", str(CALIFORNIA), "--to", new)
    assert refused.returncode == 1
    assert f"The router sends calls to {old}. PGREPRISE_SHARDS must name all servers." in refused.stderr
    assert fleet.rows("select * from pgreprise.logical_shard order by logical_shard") == before
    assert (fleet.contents(), fleet.holders()[CALIFORNIA]) == (contents, [old])
