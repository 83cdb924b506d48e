"""A logical shard moves from one server to another: nothing is lost or live twice, and it goes on after a crash."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import IsolationLevel
from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import URL

from pyapi.schema.run_tables import create_run_tables
from tests.support.claims import claim, claims, finish
from tests.support.databases import Connect, Connection, engine
from tests.support.databases import connect as connect_to
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.refusals import refusal, refuses
from tests.support.shards import bring, checksums, forget, freeze, join, move, prepare, thaw
from tests.support.snapshots import everything
from tests.support.statements import one, rerun, undo

NEW_YORK = 51
US = 33


@pytest.fixture
def other(server: URL, new_database: Callable[..., DatabaseJanitor], template: str) -> Iterator[Connection]:
    """A second server's database."""
    with new_database(template) as made, connect_to(server.set(database=made.dbname)) as connection:
        yield connection


def history(dba: Connection) -> dict[str, int]:
    """Rows in every table that moves: reports of New York and of the US, before and after the database is a shard.

    Returns the ids of the reports.
    """
    set_versions(dba)
    old, _, _ = add_economy_report(dba)
    add_reform_impact(dba)
    whole = add_report(dba, add_simulation(dba, population_id="us"))
    rerun(dba, old)
    undo(dba, rerun(dba, old)["rerun_id"])
    done = claim(dba, old)
    finish(dba, done)
    prepare(dba)
    made = one(dba, "select (found.stored).id from get_or_create_simulation('us', 'state/ny', 'geography', 9) as found")
    new = one(dba, "select (found.stored).id from get_or_create_report('us', %s) as found", made["id"])["id"]
    dba.execute("call rerun_report(%s::bigint, idempotency_key => 'once')", (new,))
    filter_ = json.dumps({"ids": [old, new, whole]})
    batch = one(dba, "select create_rerun_batch(%s, expected_reports => 3) as id", filter_)["id"]
    dba.execute("call run_rerun_batch(%s)", (batch,))
    add_reform_impact(dba)
    return {"old": old, "new": new, "whole": whole, "batch": batch}


def states(dba: Connection, logical_shard: int = NEW_YORK) -> str:
    state = one(dba, "select state from pgreprise.logical_shard where logical_shard = %s", logical_shard)["state"]
    assert isinstance(state, str)
    return state


def test_a_logical_shard_moves_with_everything_that_belongs_to_it(dba: Connection, other: Connection) -> None:
    known = history(dba)
    join(dba, other)
    before = checksums(dba, NEW_YORK)
    stays = checksums(dba, US)
    filled = {row["table_name"] for row in before if row["rows"]}
    # Of 21 tables, all but those of a host's own runs and of retries.
    assert len(filled) >= 16, filled
    total = dba.execute("select count(*) as rows from report_outputs").fetchone()
    move(dba, other, NEW_YORK)
    assert checksums(other, NEW_YORK) == before
    # What is kept here.
    assert checksums(dba, NEW_YORK, kept=True) == before
    assert {row["rows"] for row in checksums(dba, NEW_YORK)} == {0}
    assert checksums(dba, US) == stays
    assert total == {"rows": 3}
    assert [row["id"] for row in dba.execute("select id from report_outputs")] == [known["whole"]]
    assert [row["id"] for row in other.execute("select id from report_outputs order by id")] == [
        known["old"],
        known["new"],
    ]
    assert (states(dba), states(other)) == ("left", "held")
    frozen = "select count(*) as triggers from pg_trigger where tgname = 'pgreprise_refuse_moved' and tgenabled <> 'D'"
    assert (one(dba, frozen)["triggers"], one(other, frozen)["triggers"]) == (19, 0)
    forget(dba, NEW_YORK)
    assert one(dba, frozen)["triggers"] == 0


def test_life_goes_on_where_it_went(dba: Connection, other: Connection) -> None:
    known = history(dba)
    join(dba, other)
    last = one(dba, "select max(rerun_id) as id from pgreprise.rerun where rerun_id & 63 = %s", NEW_YORK)["id"]
    move(dba, other, NEW_YORK)
    set_versions(other)
    # The undo of what was done on the first server, by its number.
    act = one(other, "select max(rerun_id) as id from pgreprise.rerun where report_id = %s", known["old"])["id"]
    dba_says = refusal(dba, "call undo_rerun(%s)", act)
    assert dba_says.code == "RR034"
    assert undo(other, act, force=True)["undo_id"] > last
    again = one(other, "call rerun_report(%s::bigint, idempotency_key => 'once')", known["new"])["result"]
    assert again["run_sequence"] == 2
    assert rerun(other, known["old"])["rerun_id"] & 63 == NEW_YORK
    finish(other, claim(other, known["new"]))
    assert add_simulation(other) & 63 == NEW_YORK
    with refuses(dba, "RR034"):
        add_simulation(dba)


def test_each_act_is_delivered_once_by_the_server_on_which_it_was_done(dba: Connection, other: Connection) -> None:
    known = history(dba)
    join(dba, other)
    feed = "select rerun_id from rerun_feed(%s)"
    [first, *_] = dba.execute("select feed_position, rerun_id from rerun_feed(0, 1)").fetchall()
    acts = {row["rerun_id"] for row in dba.execute("select rerun_id from pgreprise.rerun")}
    move(dba, other, NEW_YORK)
    assert {row["rerun_id"] for row in dba.execute(feed, (first["feed_position"],))} == acts - {first["rerun_id"]}
    assert other.execute(feed, (0,)).fetchall() == []
    set_versions(other)
    there = rerun(other, known["old"])["rerun_id"]
    assert [row["rerun_id"] for row in other.execute(feed, (0,))] == [there]
    forget(dba, NEW_YORK)
    move(other, dba, NEW_YORK)
    assert {row["rerun_id"] for row in dba.execute(feed, (0,))} == acts
    assert [row["rerun_id"] for row in other.execute(feed, (0,))] == [there]


def test_while_it_is_being_moved_rows_are_read_and_not_written(dba: Connection) -> None:
    known = history(dba)
    freeze(dba, NEW_YORK)
    # Once more is the same.
    freeze(dba, NEW_YORK)
    assert states(dba) == "leaving"
    assert one(dba, "select id from get_report(%s)", known["old"])["id"] == known["old"]
    old, new = known["old"], known["new"]
    for statement in (
        f"call rerun_report({known['old']})",
        f"call rerun_report({known['new']})",
        f"select update_report({known['new']}, status => 'error', error_message => 'x')",
        "select get_or_create_simulation('us', 'state/ny', 'geography', 77)",
        f"select cancel_run({known['new']})",
        "select delete_reform_impacts('us', 2, 3, 'state/ny', 'default', '2025')",
        f"update report_outputs set status = 'error' where id = {old}",  # noqa: S608
        f"delete from report_outputs where id = {new}",  # noqa: S608
        "insert into reform_impact select * from reform_impact limit 1",
    ):
        said = refusal(dba, statement)
        assert (said.code, said.detail) == ("RR034", {"logical_shard": NEW_YORK, "state": "leaving"}), statement
    assert rerun(dba, known["whole"])["report_id"] == known["whole"]
    thaw(dba, NEW_YORK)
    assert states(dba) == "held"
    assert rerun(dba, known["old"])["report_id"] == known["old"]


def test_workers_pass_over_reports_that_are_being_moved(dba: Connection) -> None:
    known = history(dba)
    freeze(dba, NEW_YORK)
    assert [row["report_id"] for row in claims(dba, max_reports=10)] == [known["whole"]]


def test_a_transaction_with_an_old_snapshot_cannot_write_behind_the_copy(dba: Connection, connect: Connect) -> None:
    known = history(dba)
    old = connect(autocommit=False)
    old.rollback()
    old.isolation_level = IsolationLevel.REPEATABLE_READ
    old.execute("select count(*) from report_outputs")
    freeze(dba, NEW_YORK)
    with pytest.raises(psycopg.Error) as caught:
        old.execute("update report_outputs set status = 'error' where id = %s", (known["old"],))
    assert caught.value.sqlstate == "RR034"
    old.rollback()
    # Nor a row after it has left.
    thaw(dba, NEW_YORK)
    old.execute("select count(*) from report_outputs")
    freeze(dba, NEW_YORK)
    dba.execute("select pgreprise.leave_shard(%s, 'other')", (NEW_YORK,))
    with pytest.raises(psycopg.Error) as caught:
        add_simulation(old)
    assert caught.value.sqlstate == "RR034"


def test_a_crash_after_it_left_is_made_good_from_what_is_kept(dba: Connection, other: Connection) -> None:
    history(dba)
    join(dba, other)
    before = checksums(dba, NEW_YORK)
    freeze(dba, NEW_YORK)
    dba.execute("select pgreprise.leave_shard(%s, 'other')", (NEW_YORK,))
    assert refusal(dba, "select pgreprise.leave_shard(%s, 'other')", NEW_YORK).code == "55000"
    assert (states(dba), states(other)) == ("left", "absent")
    bring(dba, other, NEW_YORK)
    assert checksums(other, NEW_YORK) == before
    assert states(other) == "held"


def test_what_is_kept_is_forgotten_when_told_and_it_can_come_back(dba: Connection, other: Connection) -> None:
    history(dba)
    join(dba, other)
    move(dba, other, NEW_YORK)
    forget(dba, NEW_YORK)
    assert states(dba) == "absent"
    kept = "select count(*) as tables from pg_class where relnamespace = 'pgreprise_moved'::regnamespace"
    assert one(dba, kept)["tables"] == 0
    move(other, dba, NEW_YORK)
    assert states(dba) == "held"


def test_rows_that_a_trigger_of_the_application_keeps_stop_the_move_with_nothing_changed(dba: Connection) -> None:
    history(dba)
    dba.execute("create function public.keep() returns trigger language plpgsql as 'begin return null; end'")
    dba.execute("create trigger keep before delete on public.simulations for each row execute function keep()")
    freeze(dba, NEW_YORK)
    before = everything(dba)
    said = refusal(dba, "select pgreprise.leave_shard(%s, 'other')", NEW_YORK)
    assert said.message == "Rows of public.simulations are still there after they were deleted."
    assert everything(dba) == before


def test_the_applications_own_tables_of_runs_move_too(
    database: URL, dba: Connection, other: Connection, server: URL
) -> None:
    for url in (database, server.set(database=other.info.dbname)):
        with engine(url).begin() as migrating:
            create_run_tables(migrating)
    known = history(dba)
    join(dba, other)
    before = {row["table_name"]: row["rows"] for row in checksums(dba, NEW_YORK)}
    assert min(before[name] for name in ("public.report_output_runs", "public.simulation_runs")) > 0
    assert before["pgreprise.host_run"] > 0
    move(dba, other, NEW_YORK)
    set_versions(other)
    assert rerun(other, known["old"])["report_id"] == known["old"]
    assert {row["table_name"] for row in checksums(other, NEW_YORK)} == before.keys()
