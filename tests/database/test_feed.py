"""Consumers of the feed: each sees every act exactly once, whoever commits late, rolls back or reads beside it."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel

from tests.support.concurrency import LEVELS, connections, waiting_for_a_lock
from tests.support.databases import Connect, Connection
from tests.support.factories import add_reform_impact, add_report, add_simulation, set_versions
from tests.support.refusals import refusal
from tests.support.statements import one, rerun

WRITERS = 6
CONSUMERS = 3
TRANSACTIONS = 25


@pytest.fixture
def rows(dba: Connection) -> Connection:
    """Reports 1 to 6, which share no row, so that their writers never wait for each other."""
    set_versions(dba)
    for number in range(WRITERS):
        add_report(dba, add_simulation(dba, policy_id=number))
    return dba


def read(consumer: Connection, after: int = 0, max_rows: int = 100) -> list[tuple[int, int]]:
    """Positions and acts, as one transaction reads them."""
    found = consumer.execute("select feed_position, rerun_id from rerun_feed(%s, %s)", (after, max_rows)).fetchall()
    return [(row["feed_position"], row["rerun_id"]) for row in found]


def acts(connection: Connection) -> list[int]:
    return [row["rerun_id"] for row in connection.execute("select rerun_id from pgreprise.rerun order by 1").fetchall()]


# --- many at once ----------------------------------------------------------------------------


def write(writer: Connection, report_id: int, chance: random.Random) -> None:
    """Transactions of one to three acts; every third is rolled back, long after it began."""
    for _ in range(TRANSACTIONS):
        keep = chance.random() < 2 / 3
        try:
            with writer.transaction(force_rollback=not keep):
                done = []
                for _ in range(chance.randint(1, 3)):
                    if done and chance.random() < 0.3:
                        writer.execute("call undo_rerun(%s::bigint)", (done.pop(),))
                    else:
                        done.append(rerun(writer, report_id)["rerun_id"])
                writer.execute("select pg_sleep(%s)", (chance.random() / 50,))
        except psycopg.errors.SerializationFailure:
            continue


def consume(consumer: Connection, ended: threading.Event, chance: random.Random) -> list[tuple[int, int]]:
    """Read page by page until nobody writes any more and nothing is left; a read that fails is done again."""
    seen: list[tuple[int, int]] = []
    while True:
        last = ended.is_set()
        try:
            with consumer.transaction():
                page = read(consumer, seen[-1][0] if seen else 0, chance.randint(1, 7))
                give_up = chance.random() < 0.1
                if give_up:
                    raise psycopg.Rollback
        except psycopg.errors.SerializationFailure:
            continue
        if give_up:
            continue
        seen += page
        if last and not page:
            return seen


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_every_consumer_sees_every_committed_act_exactly_once_and_in_one_order(
    rows: Connection, connect: Connect, level: IsolationLevel
) -> None:
    writers, consumers = connections(connect, WRITERS, level), connections(connect, CONSUMERS, level)
    ended = threading.Event()
    with ThreadPoolExecutor(WRITERS + CONSUMERS) as pool:
        reading = [
            pool.submit(consume, consumer, ended, random.Random(place)) for place, consumer in enumerate(consumers)
        ]
        writing = [pool.submit(write, writer, place + 1, random.Random(place)) for place, writer in enumerate(writers)]
        try:
            for each in writing:
                each.result()
        finally:
            ended.set()
        seen = [each.result() for each in reading]

    committed = acts(rows)
    assert len(committed) > WRITERS * 5
    assert seen[0] == seen[1] == seen[2]
    assert sorted(act for _, act in seen[0]) == committed
    assert [position for position, _ in seen[0]] == list(range(1, len(committed) + 1))
    # The acts of one report come in the order in which they were done.
    runs = {
        row["rerun_id"]: (row["report_id"], row["run_sequence"])
        for row in rows.execute("select rerun_id, report_id, run_sequence from pgreprise.rerun").fetchall()
    }
    for report_id in range(1, WRITERS + 1):
        of_report = [runs[act][1] for _, act in seen[0] if runs[act][0] == report_id]
        assert of_report == sorted(of_report)


# --- who commits late ------------------------------------------------------------------------


def test_an_act_that_commits_late_comes_late_where_an_order_by_id_would_lose_it(
    rows: Connection, connect: Connect
) -> None:
    slow, consumer = connect(), connect()
    slow.execute("begin")
    late = rerun(slow, 1)["rerun_id"]
    early = rerun(rows, 2)["rerun_id"]
    assert late < early
    by_id = "select max(rerun_id) as last, array_agg(rerun_id) as seen from pgreprise.rerun where rerun_id > %s"
    before = one(consumer, by_id, 0)
    assert read(consumer) == [(1, early)]
    slow.execute("commit")
    assert read(consumer, after=1) == [(2, late)]
    # A consumer that kept the greatest id it has seen never sees the other.
    assert before["seen"] == [early]
    assert one(consumer, by_id, before["last"])["seen"] is None


def test_acts_of_a_transaction_that_is_rolled_back_are_never_seen(rows: Connection, connect: Connect) -> None:
    slow, consumer = connect(), connect()
    slow.execute("begin")
    rerun(slow, 1)
    early = rerun(rows, 2)["rerun_id"]
    assert read(consumer) == [(1, early)]
    slow.execute("rollback")
    assert read(consumer, after=1) == []
    assert read(connect()) == [(1, early)]


# --- consumers beside each other -------------------------------------------------------------


def test_a_consumer_that_rolls_back_reads_the_same_again(rows: Connection, connect: Connect) -> None:
    done = [rerun(rows, report_id)["rerun_id"] for report_id in (3, 1, 2)]
    consumer, other = connect(), connect()
    consumer.execute("begin")
    assert read(consumer) == [(1, done[0]), (2, done[1]), (3, done[2])]
    with waiting_for_a_lock(rows, other, "select feed_position, rerun_id from rerun_feed(0)") as waiting:
        consumer.execute("rollback")
    assert [row["rerun_id"] for row in waiting.result().fetchall()] == done
    assert [act for _, act in read(consumer)] == done


def test_a_consumer_that_is_still_at_work_holds_nobody_up_who_has_read_as_far(
    rows: Connection, connect: Connect
) -> None:
    first = rerun(rows, 1)["rerun_id"]
    consumer, other = connect(), connect()
    assert read(other) == [(1, first)]
    consumer.execute("begin")
    assert read(consumer) == [(1, first)]
    second = rerun(rows, 2)["rerun_id"]
    assert read(other, after=1) == [(2, second)]
    consumer.execute("commit")
    assert read(consumer, after=1) == [(2, second)]


def test_an_act_that_somebody_is_undoing_comes_when_that_has_ended_and_holds_nothing_up(
    rows: Connection, connect: Connect
) -> None:
    first, second = (rerun(rows, report_id)["rerun_id"] for report_id in (1, 2))
    slow, consumer = connect(), connect()
    slow.execute("begin")
    slow.execute("call undo_rerun(%s::bigint)", (first,))
    assert read(consumer) == [(1, second)]
    third = rerun(rows, 3)["rerun_id"]
    assert read(consumer, after=1) == [(2, third)]
    slow.execute("commit")
    [(_, then), (_, undo)] = read(consumer, after=2)
    assert then == first
    assert one(rows, "select undoes from pgreprise.rerun where rerun_id = %s", undo) == {"undoes": first}


def test_a_reader_and_the_undo_of_a_batch_do_not_deadlock(rows: Connection, connect: Connect) -> None:
    """The undo takes the newest act first, the reader the oldest."""
    add_reform_impact(rows, baseline_policy_id=1, reform_policy_id=1)
    batch_id = one(rows, "select create_rerun_batch('{\"ids\": [1, 2]}') as id")["id"]
    rows.execute("call run_rerun_batch(%s::bigint)", (batch_id,))
    add_reform_impact(rows, baseline_policy_id=1, reform_policy_id=1)
    blocker, undoing, consumer = connections(connect, 3)
    blocker.execute("begin")
    blocker.execute("select from public.reform_impact for update")
    undo = "select undo_batch_chunk(%s::bigint, force => true) as told"
    with waiting_for_a_lock(rows, undoing, undo, batch_id) as waiting, ThreadPoolExecutor(1) as pool:
        # It has locked the second act and goes on to the first.
        reading = pool.submit(read, consumer)
        pids = [consumer.info.backend_pid, undoing.info.backend_pid]
        blocked = "select cardinality(pg_blocking_pids(%s)) > 0 as waits"
        while not reading.done() and not one(rows, blocked, pids[0])["waits"]:
            pass
        blocker.execute("rollback")
        first = reading.result()
    assert waiting.result().fetchall()[0]["told"]["undone"] == 2
    seen = first + read(consumer, after=first[-1][0] if first else 0)
    assert sorted(act for _, act in seen) == acts(rows)


# --- pages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("max_rows", [0, -1, 10001, None])
def test_a_page_has_1_to_10000_rows(rows: Connection, max_rows: int | None) -> None:
    rerun(rows, 1)
    said = refusal(rows, "select * from rerun_feed(0, max_rows => %s)", max_rows)
    assert said.code == "RR016"
    assert said.message == "max_rows must be between 1 and 10000."


@pytest.mark.parametrize("max_rows", [1, 2, 3, 10000])
def test_pages_follow_each_other_without_a_gap(rows: Connection, max_rows: int) -> None:
    done = [rerun(rows, 1 + place % WRITERS)["rerun_id"] for place in range(7)]
    seen: list[tuple[int, int]] = []
    while page := read(rows, seen[-1][0] if seen else 0, max_rows):
        assert len(page) <= max_rows
        seen += page
    assert seen == list(enumerate(done, start=1))


def test_more_acts_than_are_numbered_at_once_are_all_seen(rows: Connection) -> None:
    rows.execute(
        "insert into pgreprise.rerun (kind, is_archived) select 'reset_simulation', true from generate_series(1, 20011)"
    )
    seen: list[tuple[int, int]] = []
    while page := read(rows, seen[-1][0] if seen else 0, 10000):
        seen += page
    assert [act for _, act in seen] == acts(rows)
    assert [position for position, _ in seen] == list(range(1, 20012))


def test_a_position_of_the_future_or_none_at_all_is_taken_for_what_it_says(rows: Connection) -> None:
    done = rerun(rows, 1)["rerun_id"]
    assert read(rows, after=10**12) == []
    assert read(rows, after=-5) == [(1, done)]
    found: list[Any] = rows.execute("select rerun_id from rerun_feed(null)").fetchall()
    assert found == [{"rerun_id": done}]
