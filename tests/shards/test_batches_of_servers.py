"""Batches whose reports are not on every server, that fail on one, or that are undone after a move."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from tests.support.command import run_here, succeeded
from tests.support.databases import Connection, connect, plain, rows
from tests.support.fleets import Shards
from tests.support.statements import one, rerun

pytestmark = pytest.mark.needs("plproxy", "time")

UNDONE = "it could not be created on all servers"


def refusal(on: Connection, statement: str, *values: Any) -> tuple[str | None, str | None]:
    """Code and message with which a statement is refused."""
    with pytest.raises(psycopg.Error) as caught:
        on.execute(statement.encode(), values or None)
    return caught.value.diag.sqlstate, caught.value.diag.message_primary


def of(*ids: Any) -> str:
    """The filter for these reports."""
    return json.dumps({"ids": list(ids)})


def create(psql: Connection, *ids: int) -> int:
    """Create a batch of these reports; its id."""
    made: int = one(psql, "select create_rerun_batch(%s) as id", of(*ids))["id"]
    return made


def parts(shards: Shards) -> dict[str, list[str | None]]:
    """Why the batches on each server were cancelled, in the order of their ids; None is one that was not."""
    query = "select cancel_reason from pgreprise.rerun_batch order by batch_id"
    return {name: [row["cancel_reason"] for row in rows(shards.url(name), query)] for name in shards.fleet.servers}


def move(shards: Shards, logical_shard: int, name: str) -> None:
    """Move a logical shard as an operator does."""
    servers = " ".join(f"{one}={plain(shards.url(one))}" for one in shards.fleet.servers)
    succeeded(
        run_here("shard", "move", str(logical_shard), "--to", name, DATABASE_URL=plain(shards.router),
                 PGREPRISE_SHARDS=servers)
    )  # fmt: skip


# --- the ids of a filter ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a", "b"])
def test_one_id_as_a_number_is_looked_for_on_its_server_alone(shards: Shards, psql: Connection, name: str) -> None:
    report = shards.reports(1)[name][0]
    number = json.dumps({"ids": report})
    counted = "select reports, refused from rerun_batch_effects(%s)"
    assert one(psql, counted, number) == one(psql, counted, of(report)) == {"reports": 1, "refused": 0}
    batch = one(psql, "select create_rerun_batch(%s) as id", number)["id"]
    told = one(psql, "select reports, filter -> 'ids' as ids from rerun_batches(%s)", batch)
    assert (told["reports"], told["ids"]) in ((1, report), (1, [report]))
    assert parts(shards) == {server: [None] * (server == name) for server in "ab"}


def test_an_empty_list_of_ids_is_refused_as_on_one_server(shards: Shards, psql: Connection) -> None:
    shards.reports(1)
    with connect(shards.url("a")) as server:
        for statement in ("select create_rerun_batch(%s)", "select * from rerun_batch_effects(%s)",
                          "select * from rerun_batch_preview(%s)"):  # fmt: skip
            told = refusal(server, statement, of())
            assert told[0] is not None
            assert refusal(psql, statement, of()) == told


def test_what_is_no_id_is_refused_as_on_one_server(shards: Shards, psql: Connection) -> None:
    with connect(shards.url("a")) as server:
        for ids in (["x"], [0], [1.5], "x", {"id": 1}, [10**30]):
            for statement in ("select create_rerun_batch(%s)", "select * from rerun_batch_preview(%s)"):
                told = refusal(server, statement, json.dumps({"ids": ids}))
                assert refusal(psql, statement, json.dumps({"ids": ids})) == told, (ids, statement)


def test_a_preview_shows_ids_of_two_servers_and_of_one(shards: Shards, psql: Connection) -> None:
    reports = shards.reports(2)
    preview = "select sum(reports)::integer as reports, count(errcode) as refused from rerun_batch_preview(%s)"
    everything = of(*reports["a"], *reports["b"])
    assert one(psql, preview, everything) == {"reports": 4, "refused": 0}
    for name in "ab":
        assert one(psql, preview, of(*reports[name])) == {"reports": 2, "refused": 0}
    assert psql.execute("select * from rerun_batch_sharing(%s)", (everything,)).fetchall() == []


# --- a batch that fails on one server --------------------------------------------------------


def test_a_batch_that_fails_on_one_server_is_cancelled_on_the_others_and_its_key_is_used(
    shards: Shards, psql: Connection
) -> None:
    reports = shards.reports(1)
    both = of(reports["a"][0], reports["b"][0])
    keyed = "select create_rerun_batch(%s, idempotency_key => 'k') as id"
    with connect(shards.url("b")) as server:
        server.execute(
            "create function full_disk() returns trigger language plpgsql as "
            "$$ begin raise exception 'The disk is full.' using errcode = '53100'; end $$; "
            "create trigger full_disk before insert on pgreprise.rerun_batch for each row execute function full_disk()"
        )
        assert refusal(psql, keyed, both)[0] == "53100"
        server.execute("drop trigger full_disk on pgreprise.rerun_batch")
    assert parts(shards) == {"a": [UNDONE], "b": []}

    code, message = refusal(psql, keyed, both)

    assert code == "RR012"
    assert message is not None
    assert message.endswith("which could not be created on all servers.")
    assert psql.execute("select id from rerun_batches(is_open => true)").fetchall() == []
    later = "select create_rerun_batch(%s, idempotency_key => 'new') as id"
    made = one(psql, later, both)
    assert one(psql, later, both) == made
    assert one(psql, "call run_rerun_batch(%s)", made["id"])["result"]["rerun"] == 2


def test_a_statement_timeout_in_the_middle_leaves_no_open_batch(shards: Shards, psql: Connection) -> None:
    reports = shards.reports(1)
    with connect(shards.url("b")) as holder:
        holder.execute(
            "create function wait() returns trigger language plpgsql as "
            "$$ begin perform pg_advisory_xact_lock(1); return new; end $$; "
            "create trigger wait before insert on pgreprise.rerun_batch for each row execute function wait()"
        )
        holder.execute("select pg_advisory_lock(1)")
        psql.execute("set statement_timeout = '3s'")
        assert refusal(psql, "select create_rerun_batch(%s)", of(reports["a"][0], reports["b"][0]))[0] == "57014"
        psql.execute("reset statement_timeout")
    assert parts(shards) == {"a": [UNDONE], "b": []}
    assert psql.execute("select id from rerun_batches(is_open => true)").fetchall() == []


# --- an undo of a batch ----------------------------------------------------------------------


@pytest.mark.parametrize("expected", [2, 3, 77])
def test_an_undo_of_a_batch_with_a_wrong_number_undoes_nothing(shards: Shards, psql: Connection, expected: int) -> None:
    reports = shards.reports(3)
    batch = create(psql, *reports["a"], *reports["b"][:2])
    assert one(psql, "call run_rerun_batch(%s)", batch)["result"]["rerun"] == 5
    undo = "select undo_batch_chunk(%s, expected_reruns => %s) as chunk"
    assert refusal(psql, undo, batch, expected) == (
        "RR029",
        f"Batch #{batch} is not as the preview saw it: it had {expected} reruns to be undone, and has 5 now. "
        "Nothing was changed.",
    )
    assert one(psql, "select undone from rerun_batches(%s)", batch) == {"undone": 0}
    first = one(psql, undo, batch, 5)["chunk"]
    second = one(psql, "select undo_batch_chunk(%s, %s) as chunk", batch, first["before"])["chunk"]
    assert (first["undone"], second["undone"]) == (3, 2)


def test_an_undo_that_is_called_again_with_its_key_goes_on_over_the_servers(shards: Shards, psql: Connection) -> None:
    reports = shards.reports(2)
    batch = create(psql, *reports["a"], *reports["b"])
    one(psql, "call run_rerun_batch(%s)", batch)
    undo = "select undo_batch_chunk(%s, chunk_size => 1, expected_reruns => 4, idempotency_key => 'k') as chunk"
    assert [one(psql, undo, batch)["chunk"]["undone"] for _ in range(5)] == [1, 1, 1, 1, 0]
    assert one(psql, "select state from rerun_batches(%s)", batch) == {"state": "undone"}


def test_an_undo_whose_position_is_on_another_server_since_a_move_undoes_all(shards: Shards, psql: Connection) -> None:
    reports = shards.reports(3)
    # The reruns on b are to have greater numbers than those on a.
    for number in reports["b"] * 3:
        rerun(psql, number)
    batch = create(psql, *reports["a"], *reports["b"])
    assert one(psql, "call run_rerun_batch(%s)", batch)["result"]["rerun"] == 6
    chunk = one(psql, "select undo_batch_chunk(%s, chunk_size => 1) as chunk", batch)["chunk"]
    position = chunk["before"] >> 6
    assert chunk["before"] & 63 == 0
    assert one(psql, "select pgreprise.shard_of('rerun', %s) as number", position)["number"] != 0
    newest = "select max(rerun_id) as newest from pgreprise.rerun where batch_id = %s"
    assert shards.row(newest, batch, name="b")["newest"] > position
    # The turn of a is that of b now.
    move(shards, 0, "b")
    undone = chunk["undone"]
    while chunk["before"] is not None:
        chunk = one(
            psql, "select undo_batch_chunk(%s, %s, chunk_size => 1) as chunk", batch, chunk["before"]
        )["chunk"]  # fmt: skip
        undone += chunk["undone"]
    assert undone == 6
    assert one(psql, "select state, undone from rerun_batches(%s)", batch) == {"state": "undone", "undone": 6}


# --- what is told of a batch -----------------------------------------------------------------


def test_refusals_and_obstacles_are_told_of_a_batch_that_one_server_has_no_part_of(
    shards: Shards, psql: Connection
) -> None:
    first, second, third = shards.populations("b", 3)
    report, other = shards.add_report(first), shards.add_report(second)
    refused = shards.add_report(third, year=None)
    batch = create(psql, report, other, refused)
    one(psql, "call run_rerun_batch(%s)", batch)
    rerun(psql, report)
    assert parts(shards) == {"a": [], "b": [None]}
    refusals = psql.execute("select report_id from rerun_batch_refusals(%s)", (batch,)).fetchall()
    assert refusals == [{"report_id": refused}]
    obstacles = "select report_id, obstacle is null as is_free from rerun_batch_obstacles(%s) order by report_id"
    assert psql.execute(obstacles, (batch,)).fetchall() == [
        {"report_id": number, "is_free": number == other} for number in sorted((report, other))
    ]
    for statement in ("select * from rerun_batch_refusals(999999)", "select * from rerun_batch_obstacles(999999)"):
        assert refusal(psql, statement)[0] == "RR018"


def test_the_newest_open_batch_is_found_behind_finished_ones(shards: Shards, psql: Connection) -> None:
    reports = shards.reports(2)
    oldest, older = create(psql, reports["a"][0]), create(psql, reports["a"][0])
    for _ in range(2):
        one(psql, "call run_rerun_batch(%s)", create(psql, reports["a"][1], reports["b"][1]))
    found = "select id, state from rerun_batches(is_open => true, max_rows => %s)"
    assert psql.execute(found, (1,)).fetchall() == [{"id": older, "state": "open"}]
    assert [row["id"] for row in psql.execute(found, (100,))] == [older, oldest]
    assert len(psql.execute("select id from rerun_batches(is_open => false, max_rows => 1)").fetchall()) == 1


def test_a_batch_that_is_cancelled_on_one_server_is_open_on_the_others(shards: Shards, psql: Connection) -> None:
    reports = shards.reports(1)
    batch = create(psql, reports["a"][0], reports["b"][0])
    with connect(shards.url("a")) as server:
        server.execute("select cancel_rerun_batch(%s)", (batch,))
    found = psql.execute("select id, state from rerun_batches(is_open => true)").fetchall()
    assert found == [{"id": batch, "state": "open"}]
    assert one(psql, "select cancel_rerun_batch(%s) as left", batch)["left"] > 0
    assert one(psql, "select state from rerun_batches(%s)", batch) == {"state": "cancelled"}


# --- a purge ---------------------------------------------------------------------------------


def test_a_purge_whose_position_is_on_another_server_since_a_move_purges_all(shards: Shards, psql: Connection) -> None:
    reports = shards.reports(2)
    # The third rerun on a has a greater number than those on b.
    for number in reports["b"] + reports["a"] * 3:
        rerun(psql, number)
    purge = "select purge_chunk(interval '0', 0, %s, 1) as chunk"
    chunk, purged = {"after": 0}, 0
    for _ in range(3):
        chunk = one(psql, purge, chunk["after"])["chunk"]
        purged += chunk["reruns"]
    position = chunk["after"] >> 6
    newest = "select max(rerun_id) < %s as is_passed from pgreprise.rerun"
    assert shards.row(newest, position, name="b") == {"is_passed": True}
    assert chunk["after"] & 63 == 0
    assert one(psql, "select pgreprise.shard_of('rerun', %s) as number", position)["number"] != 0
    move(shards, 0, "b")
    while chunk["after"] is not None:
        chunk = one(psql, purge, chunk["after"])["chunk"]
        purged += chunk["reruns"]
    assert purged == 8
