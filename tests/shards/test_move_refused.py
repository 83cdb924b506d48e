"""A move is refused, or refuses others, where rows would be lost; then nothing is changed, and the words help."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from pyapi.cli.shards import shard as group
from tests.support.claims import claim, finish
from tests.support.concurrency import waiting_for_a_lock
from tests.support.databases import Connection, connect, rows
from tests.support.factories import add_simulation, set_versions
from tests.support.moving import Fleet, Mover, restored, type_as_the_page
from tests.support.refusals import refuses
from tests.support.statements import one, rerun

pytestmark = pytest.mark.needs("time")

# state/ca of us, as the test vectors of population_shard say; reports 102 and 107 of our host.
CALIFORNIA, REPORT = 31, 102
MOVE = ("move", str(CALIFORNIA), "--to", "b", "--no-router")
KEPT = "select relname from pg_class where relnamespace = to_regnamespace('pgreprise_moved') order by relname"
GUARDS = "select tgname from pg_trigger where tgname = 'pgreprise_refuse_moved' and tgenabled <> 'D'"
# The commit after which a logical shard has left waits as long as somebody holds this lock.
SLOW_COMMIT = (
    "create function public.wait() returns trigger language plpgsql as "
    "$$begin perform pg_advisory_xact_lock(4711); return null; end$$;"
    "create constraint trigger slow after update on pgreprise.logical_shard deferrable initially deferred "
    "for each row when (new.state = 'left') execute function public.wait();"
)


@pytest.fixture
def a(fleet: Fleet) -> Iterator[Connection]:
    """A DBA's psql on server a."""
    with connect(fleet.urls["a"]) as connection:
        yield connection


@pytest.fixture
def b(fleet: Fleet) -> Iterator[Connection]:
    """A DBA's psql on server b."""
    with connect(fleet.urls["b"]) as connection:
        yield connection


@contextmanager
def stopped(fleet: Fleet, name: str, lock: str) -> Iterator[tuple[Mover, Callable[[], None]]]:
    """The command, where it waits for a lock of a server; and what lets it go on."""
    with connect(fleet.urls[name], autocommit=False) as holder, fleet.started(*MOVE) as mover:
        holder.execute(lock.encode())
        mover.release()
        with connect(fleet.urls[name]) as watcher:
            mover.wait_until_blocked(watcher)
        yield mover, holder.rollback


@contextmanager
def copying(fleet: Fleet) -> Iterator[tuple[Mover, Callable[[], None]]]:
    """The command in the middle of its copy."""
    with stopped(fleet, "b", "lock table public.report_outputs in exclusive mode") as found:
        yield found


def is_as_before(fleet: Fleet, before: dict[str, list[str]]) -> None:
    """The logical shard is on a, with all rows, and can be written there."""
    assert fleet.contents() == before
    assert (fleet.state("a", CALIFORNIA), fleet.holders()[CALIFORNIA]) == ("held", ["a"])
    assert fleet.rows(GUARDS) == {"a": [], "b": []}


# --- keys and constraints --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "hint"),
    [
        pytest.param(
            "alter table public.report_outputs add constraint follows foreign key (simulation_1_id) "
            "references public.simulations (id) on delete cascade",
            "alter table public.report_outputs drop constraint follows;",
            id="cascades among the moved tables",
        ),
        pytest.param(
            "create table public.note (report_id integer constraint noted references public.report_outputs (id) "
            "on delete cascade); insert into public.note values (102)",
            "alter table public.note drop constraint noted;",
            id="cascades to a table that stays",
        ),
        pytest.param(
            "create table public.note (report_id integer constraint noted references public.report_outputs (id))",
            "alter table public.note drop constraint noted;",
            id="of a table that stays",
        ),
        pytest.param(
            "create table public.note (report_id integer constraint noted references public.report_outputs (id) "
            "on delete set null); insert into public.note values (102)",
            "alter table public.note drop constraint noted;",
            id="sets null in a table that stays",
        ),
    ],
)
def test_a_foreign_key_that_would_take_other_rows_along_stops_a_move(
    fleet: Fleet, a: Connection, made: str, hint: str
) -> None:
    a.execute(made.encode())
    before = fleet.contents()
    noted = rows(fleet.urls["a"], "select * from public.note") if "note" in made else []
    refused = fleet.move(str(CALIFORNIA), "b")
    assert refused.returncode == 1
    assert hint in refused.stderr
    assert f"Logical shard {CALIFORNIA} is on a as before." in refused.stderr
    is_as_before(fleet, before)
    if noted:
        assert rows(fleet.urls["a"], "select * from public.note") == noted
    # The hint is a statement that helps.
    a.execute(hint.encode())
    assert fleet.move(str(CALIFORNIA), "b").returncode == 0
    assert fleet.contents() == before


def test_all_foreign_keys_in_the_way_are_told_at_once(fleet: Fleet, a: Connection) -> None:
    a.execute(
        "create table public.note (report_id integer constraint noted references public.report_outputs (id), "
        "simulation_id integer constraint simulated references public.simulations (id), day date) "
        "partition by range (day);"
        "create table public.note_of_today partition of public.note for values from ('2026-01-01') to ('2027-01-01');"
        "alter table public.report_outputs add constraint follows foreign key (simulation_1_id) "
        "references public.simulations (id) on delete cascade"
    )
    before = fleet.contents()
    statements = [
        "alter table public.note drop constraint noted;",
        "alter table public.note drop constraint simulated;",
        "alter table public.report_outputs drop constraint follows;",
    ]
    for refused in (fleet.do(*MOVE, "--dry-run"), fleet.do(*MOVE)):
        assert refused.returncode == 1
        said = " ".join(refused.stderr.split())
        assert (
            "stand in the way: noted of public.note refers to public.report_outputs, simulated of public.note refers "
            "to public.simulations, follows of public.report_outputs refers to public.simulations. (55000)"
        ) in said
        # All of them, and nothing besides: those of the partition go with its table's.
        assert re.findall(r"alter table [^;]*;", said) == statements
        is_as_before(fleet, before)
    a.execute(" ".join(statements).encode())
    assert fleet.do(*MOVE, "--dry-run").returncode == 0
    is_as_before(fleet, before)
    assert fleet.do(*MOVE).returncode == 0


@pytest.mark.parametrize("statements", [[], ["drop constraint noted", "drop constraint named"]])
def test_prepare_tells_all_foreign_keys_that_would_stop_a_move(
    new_fleet: Callable[[str, str], Fleet], statements: list[str]
) -> None:
    fleet = new_fleet("ours", "ab")
    with connect(fleet.urls["a"]) as dba:
        dba.execute(
            "create table public.note (report_id integer constraint noted references public.report_outputs (id), "
            "simulation_id integer constraint named references public.simulations (id) on delete set null)"
        )
        for statement in statements:
            dba.execute(f"alter table public.note {statement}".encode())
    done = fleet.do("prepare", "a", "--dry-run")
    told = re.findall(r"alter table public\.note ([^;]*);", " ".join(done.stderr.split()))
    in_the_way = [] if statements else ["drop constraint named", "drop constraint noted"]
    assert (done.returncode, told) == (1 if in_the_way else 0, in_the_way)


def test_a_rehearsal_tells_what_would_stop_the_move(fleet: Fleet, a: Connection, b: Connection) -> None:
    set_versions(a)
    rerun(a, REPORT)
    claimed = claim(a, REPORT)
    before = fleet.contents()
    assert f"Workers hold claims on reports of logical shard {CALIFORNIA}" in fleet.do(*MOVE, "--dry-run").stderr
    finish(a, claimed)
    b.execute("alter table public.report_outputs add column later text")
    assert "of servers a and b has other columns" in fleet.do(*MOVE, "--dry-run").stderr
    b.execute("alter table public.report_outputs drop column later")
    assert fleet.do(*MOVE, "--dry-run").returncode == 0
    assert fleet.state("a", CALIFORNIA) == "held"
    assert fleet.rows(GUARDS) == {"a": [], "b": []}
    assert len(fleet.contents()["public.report_outputs"]) == len(before["public.report_outputs"])


def test_a_deferred_constraint_of_the_target_is_met_before_the_source_lets_go(fleet: Fleet, b: Connection) -> None:
    b.execute(
        "create table public.permitted (id integer primary key);"
        "alter table public.report_outputs add constraint permitted foreign key (simulation_1_id) "
        "references public.permitted (id) deferrable initially deferred"
    )
    before = fleet.contents()
    refused = fleet.move(str(CALIFORNIA), "b")
    assert (refused.returncode, "permitted" in refused.stderr) == (1, True)
    assert f"Logical shard {CALIFORNIA} is on a as before." in refused.stderr
    is_as_before(fleet, before)


# --- taking back -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "does",
    ["new.error_message := 'changed'; return new;", "return null;"],
    ids=["changes rows", "drops rows"],
)
def test_taking_back_keeps_the_copy_where_a_trigger_would_not_let_the_rows_be_the_same(
    fleet: Fleet, a: Connection, does: str
) -> None:
    set_versions(a)
    rerun(a, REPORT)
    before = fleet.contents()
    type_as_the_page(a, CALIFORNIA, "leave_shard")
    left = fleet.contents()
    assert (left != before, fleet.state("a", CALIFORNIA)) == (True, "left")
    kept = "select relname from pg_class where relnamespace = 'pgreprise_moved'::regnamespace order by relname"
    copies = rows(fleet.urls["a"], kept)
    a.execute(
        f"create function public.changes() returns trigger language plpgsql as $$begin {does} end$$;"
        "create trigger changes before insert on public.report_outputs for each row execute function "
        "public.changes()".encode()
    )
    refused = fleet.move(str(CALIFORNIA), "a")
    assert (refused.returncode, "The rows are not those that were kept." in refused.stderr) == (1, True)
    assert (fleet.state("a", CALIFORNIA), fleet.contents()) == ("left", left)
    assert rows(fleet.urls["a"], kept) == copies
    # As the hint says.
    a.execute("alter table public.report_outputs disable trigger changes")
    assert fleet.move(str(CALIFORNIA), "a").returncode == 0
    is_as_before(fleet, before)


def test_the_older_one_of_two_is_put_away_as_the_page_says(fleet: Fleet, a: Connection, b: Connection) -> None:
    set_versions(a)
    set_versions(b)
    rerun(a, REPORT)
    assert fleet.move(str(CALIFORNIA), "b").returncode == 0
    rerun(b, REPORT)
    before = fleet.contents()
    # As if a had been restored to a moment before the move.
    a.execute("select pgreprise.take_back_shard(%s)", (CALIFORNIA,))
    assert fleet.holders()[CALIFORNIA] == ["a", "b"]
    told = json.loads(fleet.do("map", "--no-router", "--json").stdout)["logical_shards"][CALIFORNIA]
    assert told["wrong"] == "on more than one server"
    type_as_the_page(a, CALIFORNIA, "leave_shard")
    fleet.did("forget", str(CALIFORNIA), "--yes")
    assert (fleet.contents(), fleet.holders()[CALIFORNIA]) == (before, ["b"])
    assert fleet.rows(GUARDS) == {"a": [], "b": []}


@pytest.fixture
def newer(fleet: Fleet) -> dict[str, list[str]]:
    """A logical shard went to b, was rerun and came back; then a is restored to a moment before. What b keeps."""
    for server in "ab":
        with connect(fleet.urls[server]) as connection:
            set_versions(connection)
    with restored(fleet, "a"):
        assert fleet.move(str(CALIFORNIA), "b").returncode == 0
        with connect(fleet.urls["b"]) as b:
            rerun(b, REPORT)
            add_simulation(b, population_id="ca", policy_id=4242)
        newest = fleet.contents()
        assert fleet.move(str(CALIFORNIA), "a").returncode == 0
    return newest


def test_newer_rows_that_a_server_keeps_are_not_dropped_for_older_ones_of_a_backup(
    fleet: Fleet, newer: dict[str, list[str]]
) -> None:
    before = fleet.contents()
    assert before != newer
    told = json.loads(fleet.do("map", "--no-router", "--json").stdout)["logical_shards"][CALIFORNIA]
    assert (told["server"], told["kept_by"], told["wrong"]) == ("a", "b", "older than what b keeps")
    kept = fleet.rows(KEPT)
    for command in (
        MOVE, (*MOVE, "--dry-run"), ("move", str(CALIFORNIA), "--to", "a", "--no-router"),
        ("forget", str(CALIFORNIA), "--yes"), ("forget", str(CALIFORNIA), "--dry-run"),
    ):  # fmt: skip
        done = fleet.do(*command)
        assert done.returncode == 1, command
        assert "b keeps newer rows of it. Nothing was changed." in " ".join(done.stderr.split()), command
    assert (fleet.contents(), fleet.rows(KEPT)) == (before, kept)
    # Others go on.
    assert fleet.move("17", "b").returncode == 0


def test_the_newer_rows_are_live_again_when_the_older_ones_are_put_away(
    fleet: Fleet, newer: dict[str, list[str]], a: Connection
) -> None:
    type_as_the_page(a, CALIFORNIA, "leave_shard")
    assert fleet.move(str(CALIFORNIA), "a").returncode == 0
    fleet.did("forget", str(CALIFORNIA), "--yes")
    assert (fleet.contents(), fleet.holders()[CALIFORNIA]) == (newer, ["a"])
    assert fleet.rows(GUARDS) == {"a": [], "b": []}


def test_the_older_rows_stay_when_the_newer_ones_are_dropped(
    fleet: Fleet, newer: dict[str, list[str]], a: Connection, b: Connection
) -> None:
    before = fleet.contents()
    type_as_the_page(b, CALIFORNIA, "forget_shard")
    type_as_the_page(a, CALIFORNIA, "shard_ids_17")
    given = one(b, "select pg_sequence_last_value('pgreprise.shard_ids_31') as number")["number"]
    assert add_simulation(a, population_id="ca", policy_id=4242) >> 6 > given
    a.execute("delete from public.simulations where policy_id = 4242")
    assert fleet.move(str(CALIFORNIA), "a").returncode == 0
    assert (fleet.contents(), fleet.holders()[CALIFORNIA]) == (before, ["a"])
    assert (before != newer, fleet.rows(GUARDS)) == (True, {"a": [], "b": []})


# --- what no trigger sees --------------------------------------------------------------------


SLIPS = {
    "an id that becomes one of the logical shard": (
        "update public.simulations set id = (id & ~63) + 31 where policy_id = 4242",
    ),
    "a table that is emptied": ("truncate pgreprise.simulation_run cascade",),
    "a session that fires no triggers": (
        "set session_replication_role = replica",
        "update public.report_outputs set error_message = 'slipped in' where id = 102",
    ),
    "a row more": (
        "set session_replication_role = replica",
        "insert into public.simulations (id, country_id, api_version, population_id, population_type, policy_id, "
        "status) select (id & ~63) + 31, country_id, api_version, 'ca', population_type, policy_id, status "
        "from public.simulations where policy_id = 4242",
    ),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_what_slips_in_between_the_copy_and_the_leaving_ends_the_move(fleet: Fleet, a: Connection, slip: str) -> None:
    set_versions(a)
    rerun(a, REPORT)
    add_simulation(a, population_id="us", policy_id=4242)
    with (
        stopped(fleet, "b", "lock table pgreprise.rerun_key in exclusive mode") as (mover, copies_the_rest),
        connect(fleet.urls["a"], autocommit=False) as holder,
        connect(fleet.urls["a"]) as writer,
    ):
        # Its transaction that takes the rows out begins here.
        holder.execute("select 1 from pgreprise.logical_shard for update")
        copies_the_rest()
        mover.wait_until_blocked(a)
        before = fleet.contents()
        for statement in SLIPS[slip]:
            writer.execute(statement.encode())
        written = fleet.contents()
        assert written != before
        holder.rollback()
        assert mover.ended() == 1
    assert f"Rows of logical shard {CALIFORNIA} were changed on a while they were copied." in mover.errors
    assert f"Logical shard {CALIFORNIA} is on a as before." in mover.errors
    is_as_before(fleet, written)


# --- who waits, and who comes meanwhile ------------------------------------------------------


def test_a_write_that_waited_until_the_rows_had_left_is_told_where_they_are(fleet: Fleet, a: Connection) -> None:
    set_versions(a)
    a.execute(SLOW_COMMIT.encode())
    with (
        stopped(fleet, "a", "select pg_advisory_xact_lock(4711)") as (mover, let_go),
        connect(fleet.urls["a"]) as writer,
    ):
        waits = waiting_for_a_lock(a, writer, "call rerun_report(%s)", REPORT)
        with pytest.raises(psycopg.Error) as refused, waits:
            let_go()
        assert mover.ended() == 0
    assert (refused.value.sqlstate, fleet.holders()[CALIFORNIA]) == ("RR034", ["b"])


def test_a_worker_is_told_that_the_claim_has_left(fleet: Fleet, a: Connection, b: Connection) -> None:
    set_versions(a)
    rerun(a, REPORT)
    claimed = claim(a, REPORT)
    finish(a, claimed)
    assert fleet.move(str(CALIFORNIA), "b").returncode == 0
    for called in (
        "select * from finish_report(%s, '{}')",
        "select * from fail_report(%s, 'it failed')",
        "select * from heartbeat_claim(%s)",
    ):
        with refuses(a, "RR034", contains="is not on this server"):
            a.execute(called.encode(), (claimed["claim_id"],))
    # Where it is, the claim is known.
    assert one(b, "select claim_id from pgreprise.claim")["claim_id"] == claimed["claim_id"]


@pytest.mark.parametrize(
    ("name", "lock", "wanted"),
    [
        pytest.param("a", "lock table public.simulations in row exclusive mode", {"status": "complete"},
                     id="before its items are refused"),
        pytest.param("b", "lock table public.report_outputs in exclusive mode", {"ids": [103]},
                     id="of reports that stay"),
    ],
)  # fmt: skip
def test_no_batch_is_created_while_something_is_leaving(
    fleet: Fleet, a: Connection, name: str, lock: str, wanted: dict[str, Any]
) -> None:
    set_versions(a)
    called = ("select create_rerun_batch(%s) as id", json.dumps(wanted))
    with stopped(fleet, name, lock) as (mover, let_go):
        with refuses(a, "RR034", contains="is being moved"):
            one(a, *called)
        let_go()
        assert mover.ended() == 0
    assert rows(fleet.urls["a"], "select from rerun_batches()") == []
    assert one(a, *called)["id"]


def test_a_batch_that_is_being_created_is_waited_for_and_told(fleet: Fleet, a: Connection) -> None:
    set_versions(a)
    with connect(fleet.urls["a"], autocommit=False) as creator, fleet.started(*MOVE) as mover:
        batch = one(creator, "select create_rerun_batch(%s) as id", json.dumps({"status": "complete"}))["id"]
        before = fleet.contents()
        mover.release()
        mover.wait_until_blocked(a)
        creator.commit()
        assert mover.ended() == 1
    assert f"Batch {batch} is not finished." in mover.errors
    a.execute("select cancel_rerun_batch(%s)", (batch,))
    items = "pgreprise.rerun_batch_item"
    assert (fleet.contents() | {items: []}) == (before | {items: []})
    assert (fleet.state("a", CALIFORNIA), fleet.rows(GUARDS)) == ("held", {"a": [], "b": []})
    assert fleet.move(str(CALIFORNIA), "b").returncode == 0


def test_the_feed_is_read_until_the_acts_have_their_positions(fleet: Fleet, a: Connection) -> None:
    set_versions(a)
    act = rerun(a, REPORT)["rerun_id"]
    # The last table that is guarded before.
    with stopped(fleet, "a", "lock table pgreprise.rerun_key in row exclusive mode") as (mover, let_go):
        assert fleet.state("a", CALIFORNIA) == "leaving"
        read = a.execute("select rerun_id from rerun_feed(0, 10)").fetchall()
        let_go()
        assert mover.ended() == 0
    assert read == [{"rerun_id": act}]
    assert a.execute("select rerun_id from rerun_feed(0, 10)").fetchall() == read


def test_no_server_is_migrated_while_another_command_moves(fleet: Fleet) -> None:
    with copying(fleet) as (mover, let_go):
        refused = fleet.do("migrate")
        assert refused.returncode == 1
        assert "another command is moving logical shards" in refused.stderr
        assert refused.stdout == ""
        let_go()
        assert mover.ended() == 0
    assert fleet.do("migrate").returncode == 0


# --- what the doctor says --------------------------------------------------------------------


def exists(server: Connection, remedy: str) -> None:
    """Commands and routines that a remedy names are there."""
    for command in re.findall(r"pgreprise shard (\w+)", remedy):
        assert command in group.commands, remedy
    for routine in re.findall(r"(pgreprise\.\w+)\(", remedy):
        assert one(server, "select to_regproc(%s) is not null as is_there", routine)["is_there"], remedy


def test_what_is_leaving_is_told_with_a_command_that_goes_on_or_gives_up(fleet: Fleet, a: Connection) -> None:
    a.execute("select pgreprise.begin_leaving(%s)", (CALIFORNIA,))
    found = one(a, "select * from pgreprise.shard_problems()")
    exists(a, found["remedy"])
    assert f"pgreprise shard move {CALIFORNIA} --to" in found["remedy"]
    assert fleet.move(str(CALIFORNIA), "a").returncode == 0
    assert a.execute("select * from pgreprise.shard_problems()").fetchall() == []


def test_a_row_of_another_server_is_told_with_what_helps(fleet: Fleet, a: Connection) -> None:
    here = add_simulation(a, population_id="us", policy_id=4242)
    assert fleet.move(str(CALIFORNIA), "b").returncode == 0
    fleet.did("forget", str(CALIFORNIA), "--yes")
    strange = (here & ~63) + CALIFORNIA
    add_simulation(a, id=strange, population_id="ca", policy_id=4242)
    found = one(a, "select * from pgreprise.shard_problems()")
    assert f"logical shard {CALIFORNIA}" in found["problem"]
    assert "Delete them" in found["remedy"]
    exists(a, found["remedy"])
    a.execute("delete from public.simulations where id = %s", (strange,))
    assert a.execute("select * from pgreprise.shard_problems()").fetchall() == []
