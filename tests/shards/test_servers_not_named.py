"""PGREPRISE_SHARDS lacks a server: a move sees it from what the others know, without a router too."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.databases import connect, rows
from tests.support.factories import set_versions
from tests.support.moving import Fleet, named, restored, type_as_the_page
from tests.support.statements import one, rerun

pytestmark = pytest.mark.needs("time")

# state/ca of us, and its report of our host.
CALIFORNIA, REPORT = 31, 102
PLACES = "select * from pgreprise.logical_shard order by logical_shard"
MUST = "PGREPRISE_SHARDS must name all servers. Nothing was changed."


@pytest.fixture
def fleet(new_fleet: Callable[[str, str], Fleet]) -> Fleet:
    """Server a with the reports of our host, and b and c, which are empty."""
    made = new_fleet("ours", "abc")
    made.did("prepare", "a")
    made.did("prepare", "b", "--empty")
    made.did("prepare", "c", "--empty")
    return made


def knowing(fleet: Fleet, names: str) -> Fleet:
    """The commands of somebody who names these servers only."""
    listed = named({name: fleet.urls[name] for name in names})
    return Fleet(fleet.urls, fleet.settings | {"PGREPRISE_SHARDS": listed})


def everything(fleet: Fleet) -> tuple[Any, Any, Any]:
    kept = "select relname from pg_class where relnamespace = to_regnamespace('pgreprise_moved') order by relname"
    return fleet.contents(), fleet.rows(PLACES), fleet.rows(kept)


def refused(fleet: Fleet, names: str, *commands: tuple[str, ...]) -> str:
    """What all these commands say; they must change nothing."""
    before = everything(fleet)
    told = set()
    for command in commands:
        done = knowing(fleet, names).do(*command)
        assert (done.returncode, done.stdout) == (1, ""), command
        told.add(" ".join(done.stderr.split()))
    assert everything(fleet) == before
    [said] = told
    assert said.endswith(MUST)
    return said


def moves(*targets: str) -> list[tuple[str, ...]]:
    """Moves of California, and their rehearsals."""
    plain_moves = [("move", str(CALIFORNIA), "--to", target, "--no-router") for target in targets]
    return [*plain_moves, *((*move, "--dry-run") for move in plain_moves)]


def test_a_copy_is_not_taken_for_the_rows_where_the_server_that_has_them_is_not_named(fleet: Fleet) -> None:
    assert fleet.move(str(CALIFORNIA), "c").returncode == 0
    # Neither is it moved from what a keeps, nor taken back, compared with it or dropped.
    said = refused(fleet, "ab", *moves("b", "a"))
    assert f"Logical shard {CALIFORNIA} left a for c, which is not named." in said
    said = refused(fleet, "ab", ("check", str(CALIFORNIA)))
    assert f"Logical shard {CALIFORNIA} left a for c, which is not named." in said
    before = everything(fleet)
    assert knowing(fleet, "ab").do("forget", str(CALIFORNIA), "--yes").returncode == 1
    assert everything(fleet) == before
    assert fleet.move(str(CALIFORNIA), "b").returncode == 0
    assert (fleet.contents(), fleet.holders()[CALIFORNIA]) == (before[0], ["b"])


def test_it_is_seen_where_it_went_after_the_copy_was_forgotten(fleet: Fleet) -> None:
    assert fleet.move(str(CALIFORNIA), "b").returncode == 0
    assert fleet.move(str(CALIFORNIA), "c").returncode == 0
    # What a keeps is older, and b keeps nothing any more.
    knowing(fleet, "bc").did("forget", str(CALIFORNIA), "--yes")
    assert (fleet.state("a", CALIFORNIA), fleet.state("b", CALIFORNIA)) == ("left", "absent")
    said = refused(fleet, "ab", *moves("a", "b"))
    assert f"Logical shard {CALIFORNIA} left b for c, which is not named." in said
    assert fleet.move(str(CALIFORNIA), "a").returncode == 0
    assert fleet.rows("select went_to from pgreprise.logical_shard where logical_shard = %s", CALIFORNIA) == {
        "a": [{"went_to": None}], "b": [{"went_to": "c"}], "c": [{"went_to": "a"}],
    }  # fmt: skip


def test_a_server_with_other_logical_shards_is_seen_too(fleet: Fleet) -> None:
    assert fleet.move("40-43", "c").returncode == 0
    said = refused(fleet, "ab", *moves("b"))
    assert "Logical shard 40 left a for c, which is not named. Of 3 more logical shards it is the same." in said
    fleet.did("forget", "40-43", "--yes")
    assert "Logical shard 40 left a for c, which is not named." in refused(fleet, "ab", *moves("b"))
    assert "No server has logical shard 0. Of 59 more logical shards it is the same." in refused(
        fleet, "bc", *moves("b")
    )


def test_a_server_that_holds_nothing_is_not_missed(fleet: Fleet) -> None:
    before = fleet.contents()
    assert knowing(fleet, "ab").move(str(CALIFORNIA), "b").returncode == 0
    assert fleet.move(str(CALIFORNIA), "c").returncode == 0
    assert fleet.move(str(CALIFORNIA), "a").returncode == 0
    assert knowing(fleet, "ab").move(str(CALIFORNIA), "b").returncode == 0
    assert (fleet.contents(), fleet.holders()[CALIFORNIA]) == (before, ["b"])


def leave_for(fleet: Fleet, name: str, source: str = "a") -> None:
    """California has left a server for another one, where it has not arrived: the command was killed."""
    with connect(fleet.urls[source]) as a:
        a.execute("select pgreprise.begin_leaving(%s)", (CALIFORNIA,))
        a.execute("select pgreprise.guard_table(table_name) from pgreprise.shard_tables()")
        a.execute("select pgreprise.number_leaving_acts(%s)", (CALIFORNIA,))
        a.execute("select pgreprise.leave_shard(%s, %s)", (CALIFORNIA, name))


def test_a_move_that_was_stopped_goes_on_to_another_server_which_is_missed_then(fleet: Fleet) -> None:
    before = fleet.contents()
    leave_for(fleet, "b")
    assert f"left a for b, which is not named. {MUST}" in refused(fleet, "ac", *moves("a", "c"))
    assert knowing(fleet, "abc").move(str(CALIFORNIA), "c").returncode == 0
    assert f"left a for c, which is not named. {MUST}" in refused(fleet, "ab", *moves("a", "b"))
    assert (fleet.contents(), fleet.holders()[CALIFORNIA]) == (before, ["c"])


def test_no_copy_that_is_newer_than_a_restored_backup_is_dropped_when_the_newest_one_was(fleet: Fleet) -> None:
    with restored(fleet, "a"):
        for target in "bca":
            assert fleet.move(str(CALIFORNIA), target).returncode == 0
    for keeping, others in (("c", "b"), ("b", "")):
        told = json.loads(fleet.do("map", "--no-router", "--json").stdout)["logical_shards"][CALIFORNIA]
        assert told["wrong"] == f"older than what {keeping} keeps"
        for command in (("forget", str(CALIFORNIA), "--yes"), *moves("b", "a")):
            done = fleet.do(*command)
            assert (done.returncode, f"{keeping} keeps newer rows" in " ".join(done.stderr.split())) == (1, True)
        assert all(fleet.state(name, CALIFORNIA) == "left" for name in (keeping, *others))
        with connect(fleet.urls[keeping]) as server:
            type_as_the_page(server, CALIFORNIA, "forget_shard")
    assert (fleet.move(str(CALIFORNIA), "b").returncode, fleet.holders()[CALIFORNIA]) == (0, ["b"])


def test_a_logical_shard_that_has_not_arrived_is_not_taken_while_a_restored_server_has_it_live(fleet: Fleet) -> None:
    with restored(fleet, "a"):
        assert fleet.move(str(CALIFORNIA), "b").returncode == 0
        leave_for(fleet, "c", "b")
    for command in (*moves("a", "b", "c"), ("forget", str(CALIFORNIA), "--yes")):
        done = fleet.do(*command)
        assert (done.returncode, "b keeps newer rows" in " ".join(done.stderr.split())) == (1, True)
    assert fleet.holders()[CALIFORNIA] == ["a"]
    with connect(fleet.urls["a"]) as a:
        type_as_the_page(a, CALIFORNIA, "leave_shard")
    assert (fleet.move(str(CALIFORNIA), "c").returncode, fleet.holders()[CALIFORNIA]) == (0, ["c"])


def test_what_was_put_away_on_one_server_is_found_on_the_other_even_if_that_had_it_earlier(fleet: Fleet) -> None:
    assert fleet.move(str(CALIFORNIA), "b").returncode == 0
    # A backup of a, of before the move, was restored; and people decide for it.
    with connect(fleet.urls["a"]) as a:
        a.execute("select pgreprise.take_back_shard(%s)", (CALIFORNIA,))
        a.execute("select pgreprise.guard_table(table_name) from pgreprise.shard_tables()")
    with connect(fleet.urls["b"]) as b:
        b.execute("select pgreprise.begin_leaving(%s)", (CALIFORNIA,))
        b.execute("select pgreprise.leave_shard(%s, 'a')", (CALIFORNIA,))
        # What they decide against is newer, so they say it where it is kept.
        type_as_the_page(b, CALIFORNIA, "forget_shard")
    for _ in range(2):
        [found] = json.loads(fleet.did("move", str(CALIFORNIA), "--to", "a", "--no-router", "--json"))
        assert found["from"] == "a"
        fleet.did("forget", str(CALIFORNIA), "--yes")
    with connect(fleet.urls["a"]) as a:
        set_versions(a)
        rerun(a, REPORT)
    assert fleet.move(str(CALIFORNIA), "c").returncode == 0
    # It counts from what b had.
    assert fleet.rows("select move_number from pgreprise.logical_shard where logical_shard = %s", CALIFORNIA) == {
        "a": [{"move_number": 0}], "b": [{"move_number": 1}], "c": [{"move_number": 2}],
    }  # fmt: skip


def test_no_router_contradicts_routers_that_are_named(fleet: Fleet) -> None:
    before = everything(fleet)
    told = Fleet(fleet.urls, fleet.settings | {"PGREPRISE_ROUTERS": "r1=postgresql://nobody@127.0.0.1:1/none"})
    for command in (("move", str(CALIFORNIA), "--to", "b"), ("map",)):
        done = told.do(*command, "--no-router")
        assert (done.returncode, "PGREPRISE_ROUTERS is set" in done.stderr) == (2, True)
    assert everything(fleet) == before


def test_only_what_has_left_is_sent_elsewhere(fleet: Fleet) -> None:
    with connect(fleet.urls["a"]) as a, pytest.raises(Exception, match="has not left this server"):
        one(a, "select pgreprise.redirect_shard(%s, 'b')", CALIFORNIA)
    assert rows(fleet.urls["a"], "select went_to from pgreprise.logical_shard where went_to is not null") == []
