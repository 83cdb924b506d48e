"""A DBA moves logical shards from one server to another, and back; what people did and what they do goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tests.support.claims import claim, finish
from tests.support.databases import Connection, connect, rows
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.moving import Fleet
from tests.support.refusals import refuses
from tests.support.statements import one, rerun, undo

pytestmark = pytest.mark.needs("time")

# state/ca of us, as the test vectors of population_shard say; reports 102 and 107 of our host.
CALIFORNIA, REPORT = 31, 102
# us, reports 101 and 103.
US, OTHER_REPORT = 33, 103
KEY = "key of a client"


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


def live(connection: Connection) -> None:
    """All that people do: reruns with a key, an undo, a batch, workers, new reports, a cancelled run."""
    set_versions(connection)
    connection.execute("call rerun_report(%s, idempotency_key => %s)", (REPORT, KEY))
    finish(connection, claim(connection, REPORT))
    undone = rerun(connection, OTHER_REPORT)["rerun_id"]
    undo(connection, undone)
    batch = one(connection, "select create_rerun_batch(%s) as id", json.dumps({"status": "complete"}))["id"]
    connection.execute("call run_rerun_batch(%s)", (batch,))
    first = one(connection, "select (stored).id from get_or_create_simulation('us', 'ca', 'geography', 77)")
    one(connection, "select (stored).id from get_or_create_report('us', %s, null, '2031')", first["id"])
    connection.execute("select cancel_run(107)")


def moved(fleet: Fleet, shards: str, target: str) -> None:
    done = fleet.move(shards, target)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


# --- all rows --------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["ours", "real"])
def test_all_rows_are_there_after_all_moves_and_after_they_came_back(
    new_fleet: Callable[[str, str], Fleet], host: str
) -> None:
    fleet = new_fleet(host, "abc")
    fleet.did("prepare", "a")
    for name in "bc":
        fleet.did("prepare", name, "--empty")
    before = fleet.contents()
    assert sum(map(len, before.values())) > 0
    moved(fleet, "0-40", "b")
    moved(fleet, "31-63", "c")
    assert fleet.contents() == before
    assert fleet.holders() == {number: ["b" if number < 31 else "c"] for number in range(64)}
    moved(fleet, "0-63", "a")
    assert fleet.contents() == before
    assert fleet.holders() == {number: ["a"] for number in range(64)}


def test_what_people_did_is_there_to_the_byte(fleet: Fleet, a: Connection) -> None:
    live(a)
    before = fleet.contents()
    for target in ("b", "a", "b"):
        moved(fleet, f"{CALIFORNIA},{US}", target)
        assert fleet.contents() == before


# --- what was done before goes on after ------------------------------------------------------


def test_an_act_is_undone_on_the_other_server(fleet: Fleet, a: Connection, b: Connection) -> None:
    set_versions(a)
    act = rerun(a, REPORT)["rerun_id"]
    moved(fleet, str(CALIFORNIA), "b")
    undo(b, act)
    outputs = "select id, status, output::text, error_message from public.report_outputs where id = %s"
    assert one(b, outputs, REPORT) == {
        "id": REPORT,
        "status": "complete",
        "output": '{"budget": 102}',
        "error_message": None,
    }


def test_a_key_that_was_used_before_is_known_after(fleet: Fleet, a: Connection, b: Connection) -> None:
    set_versions(a)
    called = "call rerun_report(%s, idempotency_key => %s)"
    first = one(a, called, REPORT, KEY)["result"]
    moved(fleet, str(CALIFORNIA), "b")
    second = one(b, called, REPORT, KEY)["result"]
    assert second["rerun_id"] == first["rerun_id"]
    assert one(b, "select count(*) as acts from pgreprise.rerun where report_id = %s", REPORT)["acts"] == 1


def test_history_last_good_result_and_comparisons_are_those_of_before(
    fleet: Fleet, a: Connection, b: Connection
) -> None:
    live(a)
    set_versions(b)
    questions = (
        "select * from report_history(102)",
        "select * from last_good_report(102)",
        "select * from report_attempts(102)",
        "select * from compare_runs(102, 1, 2)",
    )

    def told(server: Connection) -> list[list[dict[str, Any]]]:
        # The tag of an output is that of a row on its server.
        return [
            [{name: value for name, value in row.items() if name != "tag"} for row in server.execute(question)]
            for question in questions
        ]

    before = told(a)
    assert all(before)
    moved(fleet, str(CALIFORNIA), "b")
    assert told(b) == before


def test_a_batch_is_undone_on_both_servers(fleet: Fleet, a: Connection, b: Connection) -> None:
    set_versions(a)
    before = {row["id"]: row for row in a.execute("select id, status, output::text from public.report_outputs")}
    batch = one(a, "select create_rerun_batch(%s) as id", json.dumps({"status": "complete"}))["id"]
    a.execute("call run_rerun_batch(%s)", (batch,))
    moved(fleet, str(CALIFORNIA), "b")
    for server in (a, b):
        server.execute("call undo_rerun_batch(%s)", (batch,))
    after = fleet.rows("select id, status, output::text from public.report_outputs")
    assert {row["id"]: row for found in after.values() for row in found} == before


def test_a_new_row_gets_an_id_that_neither_server_gave_before(fleet: Fleet, a: Connection, b: Connection) -> None:
    ids = [add_simulation(a, population_id="ca", policy_id=number) for number in range(5)]
    moved(fleet, str(CALIFORNIA), "b")
    ids += [add_simulation(b, population_id="ca", policy_id=number) for number in range(5, 10)]
    moved(fleet, str(CALIFORNIA), "a")
    ids += [add_simulation(a, population_id="ca", policy_id=number) for number in range(10, 15)]
    assert ids == sorted(set(ids))
    assert {number & 63 for number in ids} == {CALIFORNIA}


# --- the feed --------------------------------------------------------------------------------


def read(connection: Connection, after: int = 0) -> list[tuple[int, int]]:
    """Positions and acts, page after page, as a reader does."""
    found: list[tuple[int, int]] = []
    while page := connection.execute("select * from rerun_feed(%s, 2)", (after,)).fetchall():
        found += [(row["feed_position"], row["rerun_id"]) for row in page]
        after = page[-1]["feed_position"]
    return found


def test_a_reader_of_both_feeds_gets_every_act_once(fleet: Fleet, a: Connection, b: Connection) -> None:
    set_versions(a)
    set_versions(b)
    acts = [rerun(a, report)["rerun_id"] for report in (REPORT, OTHER_REPORT, 107)]
    first = read(a)
    acts += [rerun(a, REPORT)["rerun_id"], rerun(a, OTHER_REPORT)["rerun_id"]]
    moved(fleet, str(CALIFORNIA), "b")
    acts += [rerun(b, REPORT)["rerun_id"], rerun(a, OTHER_REPORT)["rerun_id"]]
    moved(fleet, str(CALIFORNIA), "a")
    acts.append(rerun(a, 107)["rerun_id"])
    fleet.did("forget", str(CALIFORNIA), "--yes")
    got = first + read(a, first[-1][0]) + read(b)
    assert sorted(act for _, act in got) == sorted(acts)
    # And one that begins anew is told of all of them, too.
    assert sorted(act for _, act in read(a) + read(b)) == sorted(acts)


# --- who writes meanwhile --------------------------------------------------------------------


def test_writes_of_what_is_being_moved_are_refused_and_others_are_not(
    fleet: Fleet, a: Connection, b: Connection
) -> None:
    set_versions(a)
    with (
        connect(fleet.urls["b"], autocommit=False) as holder,
        fleet.started("move", str(CALIFORNIA), "--to", "b", "--no-router") as mover,
    ):
        holder.execute("lock table public.report_outputs in exclusive mode")
        mover.release()
        mover.wait_until_blocked(b)
        with refuses(a, "RR034", contains="is being moved"):
            a.execute("call rerun_report(%s)", (REPORT,))
        with refuses(a, "RR034", contains="is being moved"):
            a.execute("update public.report_outputs set status = 'running' where id = %s", (REPORT,))
        with refuses(a, "RR034", contains="is being moved"):
            add_simulation(a, population_id="ca", policy_id=5)
        # Everybody may read it, and write what is not of it.
        assert one(a, "select status from get_report(%s)", REPORT)["status"] == "complete"
        rerun(a, OTHER_REPORT)
        add_report(a, add_simulation(a, population_id="us", policy_id=99), year="2040")
        holder.rollback()
        assert mover.ended() == 0
    set_versions(b)
    with refuses(a, "RR034", contains="is not on this server"):
        a.execute("call rerun_report(%s)", (REPORT,))
    with refuses(a, "RR034", contains="is not on this server"):
        add_simulation(a, population_id="ca", policy_id=5)
    rerun(b, REPORT)


def test_an_open_transaction_is_waited_for_and_moves_too(fleet: Fleet, a: Connection) -> None:
    with connect(fleet.urls["a"], autocommit=False) as writer:
        writer.execute("update public.report_outputs set error_message = 'written' where id = %s", (REPORT,))
        with fleet.started("move", str(CALIFORNIA), "--to", "b", "--no-router") as mover:
            mover.release()
            mover.wait_until_blocked(a)
            writer.commit()
            assert mover.ended() == 0
    [row] = rows(fleet.urls["b"], "select error_message from public.report_outputs where id = %s", REPORT)
    assert row["error_message"] == "written"


def test_a_transaction_with_an_old_snapshot_cannot_write_what_has_left(fleet: Fleet) -> None:
    with connect(fleet.urls["a"], autocommit=False) as old:
        old.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        old.execute("select 1 from public.policy")
        moved(fleet, str(CALIFORNIA), "b")
        with pytest.raises(psycopg.Error) as refused:
            add_simulation(old, population_id="ca", policy_id=5)
        assert refused.value.sqlstate == "RR034"


# --- what stands in the way ------------------------------------------------------------------


def test_an_open_claim_is_told(fleet: Fleet, a: Connection) -> None:
    set_versions(a)
    rerun(a, REPORT)
    claimed = claim(a, REPORT)
    before = fleet.contents()
    refused = fleet.move(str(CALIFORNIA), "b")
    assert refused.returncode == 1
    assert f"Workers hold claims on reports of logical shard {CALIFORNIA}: {REPORT}." in refused.stderr
    assert fleet.contents() == before
    assert fleet.state("a", CALIFORNIA) == "held"
    # Those of others are in nobody's way.
    moved(fleet, str(US), "b")
    finish(a, claimed)
    moved(fleet, str(CALIFORNIA), "b")


def test_an_unfinished_batch_is_told(fleet: Fleet, a: Connection) -> None:
    set_versions(a)
    batch = one(a, "select create_rerun_batch(%s) as id", json.dumps({"status": "complete"}))["id"]
    refused = fleet.move(str(CALIFORNIA), "b")
    assert (refused.returncode, f"Batch {batch} is not finished." in refused.stderr) == (1, True)
    a.execute("select cancel_rerun_batch(%s)", (batch,))
    moved(fleet, str(CALIFORNIA), "b")


def test_only_one_command_moves(fleet: Fleet, b: Connection) -> None:
    with connect(fleet.urls["b"], autocommit=False) as holder:
        holder.execute("lock table public.report_outputs in exclusive mode")
        with fleet.started("move", str(CALIFORNIA), "--to", "b", "--no-router") as mover:
            mover.release()
            mover.wait_until_blocked(b)
            second = fleet.move(str(US), "b")
            assert second.returncode == 1
            assert "another command is moving logical shards" in second.stderr
            holder.rollback()
            assert mover.ended() == 0
    assert fleet.state("b", US) == "absent"


def test_a_command_waits_a_moment_for_the_connection_of_the_one_before_it(fleet: Fleet, b: Connection) -> None:
    with (
        connect(fleet.urls["b"]) as before,
        fleet.started("move", str(CALIFORNIA), "--to", "b", "--no-router") as mover,
    ):
        before.execute("select pg_advisory_lock(hashtext('pgreprise.move'), 0)")
        mover.release()
        mover.wait_until_blocked(b)
        before.close()
        assert mover.ended() == 0
    assert fleet.state("b", CALIFORNIA) == "held"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("move", "64", "--to", "b"), "is not a list of logical shards"),
        (("move", "5-3", "--to", "b"), "is not a list of logical shards"),
        (("move", "x", "--to", "b"), "is not a list of logical shards"),
        (("move", "5", "--to", "z"), "There is no server z in PGREPRISE_SHARDS. It has a, b."),
        (("prepare", "z"), "There is no server z in PGREPRISE_SHARDS. It has a, b."),
        (("prepare", "a"), "This database is a shard already."),
        (("move", "5", "--to", "b"), "DATABASE_URL is not set."),
    ],
)
def test_wrong_names_change_nothing(fleet: Fleet, arguments: tuple[str, ...], said: str) -> None:
    before = fleet.rows("select * from pgreprise.logical_shard order by logical_shard")
    refused = fleet.do(*arguments)
    assert refused.returncode in (1, 2)
    assert said in " ".join(refused.stderr.split())
    assert fleet.rows("select * from pgreprise.logical_shard order by logical_shard") == before


def test_a_server_with_other_columns_is_refused(fleet: Fleet, b: Connection) -> None:
    b.execute("alter table public.report_outputs add column later text")
    refused = fleet.move(str(CALIFORNIA), "b")
    assert refused.returncode == 1
    assert "Table public.report_outputs of servers a and b has other columns. Nothing was changed." in refused.stderr
    assert fleet.state("a", CALIFORNIA) == "held"


def test_a_trigger_that_changes_rows_is_found_by_the_sums(fleet: Fleet, b: Connection) -> None:
    b.execute(
        "create function public.changes() returns trigger language plpgsql as "
        "$$begin new.error_message := 'changed'; return new; end$$;"
        "create trigger changes before insert on public.report_outputs for each row execute function public.changes()"
    )
    before = fleet.contents()
    refused = fleet.move(str(CALIFORNIA), "b")
    assert refused.returncode == 1
    assert "Table public.report_outputs: a has 2 rows" in refused.stderr
    assert f"Logical shard {CALIFORNIA} is on a as before." in refused.stderr
    assert fleet.contents() == before
    assert fleet.state("a", CALIFORNIA) == "held"
    assert fleet.rows("select tgname from pg_trigger where tgname = 'pgreprise_refuse_moved' and tgenabled <> 'D'") == {
        "a": [],
        "b": [],
    }


# --- check and forget ------------------------------------------------------------------------


def test_check_compares_with_the_copy_that_is_kept_until_it_is_forgotten(fleet: Fleet, b: Connection) -> None:
    moved(fleet, f"{CALIFORNIA},{US}", "b")
    checked = json.loads(fleet.did("check", str(CALIFORNIA), "--json"))
    reports = next(row for row in checked if row["table"] == "public.report_outputs")
    assert (reports["server"], reports["rows"], reports["kept_by"], reports["rows_kept"]) == ("b", 2, "a", 2)
    b.execute("update public.report_outputs set error_message = 'later' where id = %s", (REPORT,))
    differing = fleet.do("check", str(CALIFORNIA), "--json")
    assert differing.returncode == 1
    assert [row["table"] for row in json.loads(differing.stdout) if not row["equal"]] == ["public.report_outputs"]
    tables = "select count(*) as kept from pg_class where relnamespace = to_regnamespace('pgreprise_moved')"
    assert fleet.rows(tables)["a"][0]["kept"] > 0
    before = fleet.contents()
    assert "Nothing was changed." in fleet.did("forget", f"{CALIFORNIA},{US}", "--dry-run")
    assert fleet.state("a", CALIFORNIA) == "left"
    fleet.did("forget", f"{CALIFORNIA},{US}", "--yes")
    assert fleet.rows(tables)["a"] == [{"kept": 0}]
    assert fleet.state("a", CALIFORNIA) == "absent"
    assert fleet.contents() == before
    assert fleet.rows("select tgname from pg_trigger where tgname = 'pgreprise_refuse_moved' and tgenabled <> 'D'") == {
        "a": [],
        "b": [],
    }
    assert "No server keeps a copy" in fleet.do("check", str(CALIFORNIA)).stderr


def test_the_map_tells_where_everything_is(fleet: Fleet) -> None:
    moved(fleet, str(CALIFORNIA), "b")
    shown = json.loads(fleet.did("map", "--no-router", "--json"))["logical_shards"]
    assert [row["server"] for row in shown] == ["b" if number == CALIFORNIA else "a" for number in range(64)]
    assert (shown[CALIFORNIA]["reports"], shown[CALIFORNIA]["kept_by"]) == (2, "a")
    told = fleet.did("map", "--no-router")
    assert "a: 63 logical shards, 5 reports" in told
    assert "b: 1 logical shard, 2 reports" in told


def test_a_dry_run_moves_nothing(fleet: Fleet) -> None:
    before = fleet.contents()
    said = json.loads(fleet.did("move", "0-63", "--to", "b", "--no-router", "--dry-run", "--json"))
    assert sum(row["rows"] for row in said) == sum(map(len, before.values()))
    assert fleet.holders() == {number: ["a"] for number in range(64)}
