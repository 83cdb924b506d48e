"""An operator sees how many acts there were by the hour, and how many were refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.support.concurrency import CALLERS, at_once, connections, waiting_for_a_lock
from tests.support.databases import Connect, Connection
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.refusals import refusal
from tests.support.snapshots import everything
from tests.support.statements import one, rerun, undo

HOUR = timedelta(hours=1)
NOON = datetime(2026, 8, 14, 12, tzinfo=UTC)


def counts(connection: Connection, since: datetime, until: datetime, width: str = "1 hour") -> list[tuple[Any, ...]]:
    rows = connection.execute("select * from act_counts(%s, %s, %s)", (since, until, width)).fetchall()
    return [tuple(row.values()) for row in rows]


def count(connection: Connection, kind: str, errcode: str, refusals: int, as_of: datetime) -> None:
    connection.execute("select pgreprise.count_refusals(%s, %s, %s, %s)", (kind, errcode, refusals, as_of))


def refusals(connection: Connection) -> list[tuple[Any, ...]]:
    rows = connection.execute("select kind, errcode, refusals from pgreprise.refusal order by 1, 2").fetchall()
    return [tuple(row.values()) for row in rows]


def household(connection: Connection) -> int:
    return add_report(connection, add_simulation(connection, population_type="household"))


# --- acts ------------------------------------------------------------------------------------


@pytest.fixture
def acts(sandbox: Connection) -> None:
    """Two reruns and an undo after noon, a rerun in the next hour but one, and refusals."""
    set_versions(sandbox)
    made = [rerun(sandbox, household(sandbox))["rerun_id"] for _ in range(3)]
    made.insert(2, undo(sandbox, made[0])["undo_id"])
    for act, after in zip(made, (timedelta(0), HOUR / 2, HOUR - timedelta(seconds=1), 2 * HOUR), strict=True):
        sandbox.execute("update pgreprise.rerun set created_at = %s where rerun_id = %s", (NOON + after, act))
    count(sandbox, "rerun", "RR002", 3, NOON + HOUR / 3)
    count(sandbox, "undo", "RR010", 1, NOON + HOUR / 2)
    count(sandbox, "rerun", "RR001", 2, NOON + HOUR)


@pytest.mark.usefixtures("acts")
def test_acts_are_counted_by_the_hour_and_the_kind(sandbox: Connection) -> None:
    before = everything(sandbox)
    assert counts(sandbox, NOON, NOON + 3 * HOUR) == [
        (NOON, "refusal", 4),
        (NOON, "rerun", 2),
        (NOON, "undo", 1),
        (NOON + HOUR, "refusal", 2),
        (NOON + 2 * HOUR, "rerun", 1),
    ]
    assert everything(sandbox) == before


@pytest.mark.usefixtures("acts")
@pytest.mark.parametrize(
    ("since", "until", "width", "expected"),
    [
        # Neither the act at the end, nor those before the beginning.
        (NOON + HOUR / 2, NOON + 2 * HOUR, "1 day", {"rerun": 1, "undo": 1, "refusal": 6}),
        (NOON - HOUR, NOON, "1 hour", {}),
        (NOON + 3 * HOUR, NOON, "1 hour", {}),
        (NOON + HOUR, NOON + 3 * HOUR, "1 hour", {"rerun": 1, "refusal": 2}),
        (NOON, NOON + 3 * HOUR, "15 minutes", {"rerun": 3, "undo": 1, "refusal": 6}),
        # An hour of which the end is asked for only; its refusals are in the first span.
        (NOON + HOUR / 2, NOON + HOUR, "1 minute", {"rerun": 1, "undo": 1, "refusal": 4}),
    ],
)
def test_each_act_is_in_one_span_of_the_time_that_is_asked_for(
    sandbox: Connection, since: datetime, until: datetime, width: str, expected: dict[str, int]
) -> None:
    summed: dict[str, int] = {}
    for starts_at, kind, number in counts(sandbox, since, until, width):
        assert starts_at < until
        summed[kind] = summed.get(kind, 0) + number
    assert summed == expected


@pytest.mark.usefixtures("acts")
def test_spans_begin_as_those_of_utc_do_in_every_zone(sandbox: Connection) -> None:
    sandbox.execute("set local timezone = 'Asia/Kathmandu'")
    assert counts(sandbox, NOON + HOUR / 3, NOON + HOUR)[0][0] == NOON
    days = counts(sandbox, NOON, NOON + 3 * HOUR, "1 day")
    assert {starts_at for starts_at, _, _ in days} == {NOON.replace(hour=0)}
    weeks = counts(sandbox, NOON, NOON + 3 * HOUR, "7 days")
    assert {starts_at.astimezone(UTC).strftime("%A %H:%M") for starts_at, _, _ in weeks} == {"Monday 00:00"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("null", "since and until must be times of the years 1 to 9999."),
        ("now(), null", "since and until must be times of the years 1 to 9999."),
        ("'-infinity'", "since and until must be times of the years 1 to 9999."),
        ("now(), 'infinity'", "since and until must be times of the years 1 to 9999."),
        ("now(), now(), null", "width must be an interval from 1 second to 365000 days, without months."),
        ("now(), now(), '0'", "width must be an interval from 1 second to 365000 days, without months."),
        ("now(), now(), '-1 hour'", "width must be an interval from 1 second to 365000 days, without months."),
        ("now(), now(), '0.5 seconds'", "width must be an interval from 1 second to 365000 days, without months."),
        ("now(), now(), '1 month'", "width must be an interval from 1 second to 365000 days, without months."),
        ("now(), now(), '1 month -29 days'", "width must be an interval from 1 second to 365000 days, without months."),
        ("now() - interval '1001 hours'", "There would be more than 1000 spans of time."),
        ("'4713-01-01 bc'", "since and until must be times of the years 1 to 9999."),
        ("now(), '10000-01-01'", "since and until must be times of the years 1 to 9999."),
        ("now(), now(), '365001 days'", "width must be an interval from 1 second to 365000 days, without months."),
        ("now(), now(), '2147483647 days'", "width must be an interval from 1 second to 365000 days, without months."),
        ("now() - interval '1001 seconds', now(), '1 second'", "There would be more than 1000 spans of time."),
    ],
)
def test_what_cannot_be_counted_is_rr016(sandbox: Connection, arguments: str, message: str) -> None:
    said = refusal(sandbox, f"select * from act_counts({arguments})")  # noqa: S608
    assert said[:2] == ("RR016", message)


def test_a_thousand_spans_may_be_asked_for(sandbox: Connection) -> None:
    assert sandbox.execute("select * from act_counts(now() - interval '1000 hours')").fetchall() == []


def test_a_token_that_may_not_read_gets_no_counts(sandbox: Connection) -> None:
    sandbox.execute("""set local request.jwt.claims = '{"sub": "bob", "scope": "reports:rerun"}'""")
    assert refusal(sandbox, "select * from act_counts(now())").code == "RR017"


def test_the_acts_of_a_day_are_found_by_their_times(dba: Connection) -> None:
    dba.execute(
        "insert into pgreprise.rerun (kind, is_archived, created_at)"
        " select 'rerun', false, timestamptz '2026-08-14 12:00Z' - number * interval '1 minute'"
        " from generate_series(200000, 1, -1) as number"
    )
    dba.execute("analyze pgreprise.rerun")
    dba.execute("select brin_summarize_new_values('pgreprise.rerun_created_at')")
    with dba.transaction():
        read = "select seq_scan as scans, idx_tup_fetch as rows from pg_stat_xact_all_tables where relname = 'rerun'"
        before = one(dba, read)
        assert sum(row[2] for row in counts(dba, NOON - 24 * HOUR, NOON)) == 24 * 60
        after = one(dba, read)
    assert after["scans"] == before["scans"]
    assert after["rows"] - before["rows"] <= 10_000


# --- refusals --------------------------------------------------------------------------------


def test_a_flood_of_refusals_is_one_row(connect: Connect, dba: Connection) -> None:
    api = connect(role="pgreprise_api")
    for _ in range(1000):
        api.execute("select record_refusal('rerun', 'RR002')")
    api.execute("select record_refusal('rerun', 'RR001')")
    assert sum(number for _, errcode, number in refusals(dba) if errcode == "RR002") == 1000
    # The hour may have changed meanwhile.
    assert len(refusals(dba)) <= 3


def test_callers_at_once_lose_no_count(connect: Connect, dba: Connection) -> None:
    callers = connections(connect, CALLERS)

    def refuse(number: int) -> None:
        for _ in range(20):
            callers[number].execute("select record_refusal('undo', 'RR010')")

    at_once(CALLERS, refuse)
    assert sum(number for _, _, number in refusals(dba)) == CALLERS * 20


def test_the_first_of_an_hour_deletes_what_is_older_than_30_days(sandbox: Connection) -> None:
    for days in (31, 30, 29):
        count(sandbox, "rerun", "RR002", days, NOON - timedelta(days=days))
    assert refusals(sandbox) == [("rerun", "RR002", 31), ("rerun", "RR002", 30), ("rerun", "RR002", 29)]
    count(sandbox, "rerun", "RR002", 1, NOON + HOUR / 2)
    assert refusals(sandbox) == [("rerun", "RR002", 30), ("rerun", "RR002", 29), ("rerun", "RR002", 1)]


def test_two_who_begin_an_hour_do_not_fail(connect: Connect, dba: Connection) -> None:
    count(dba, "rerun", "RR002", 5, NOON - timedelta(days=40))
    first, second = connect(autocommit=False), connect()
    count(first, "rerun", "RR002", 1, NOON)
    # It sees the old counter, which the other one has deleted, and then waits for the new one.
    statement = "select pgreprise.count_refusals('rerun', 'RR002', 1, %s)"
    with waiting_for_a_lock(dba, second, statement, NOON):
        first.commit()
    assert refusals(dba) == [("rerun", "RR002", 2)]


def test_a_counter_that_somebody_holds_is_not_waited_for_long(connect: Connect, dba: Connection) -> None:
    holder = connect(autocommit=False)
    holder.execute("select record_refusal('rerun', 'RR002')")
    # Without a lock_timeout of its own it would wait for ever.
    with pytest.raises(psycopg.errors.LockNotAvailable):
        dba.execute("select record_refusal('rerun', 'RR002')")
    holder.rollback()


@pytest.mark.parametrize("kind", ["'purge'", "''", "null", "'Rerun'", "repeat('x', 100000)"])
def test_a_kind_that_is_none_is_rr016(sandbox: Connection, kind: str) -> None:
    said = refusal(sandbox, f"select record_refusal({kind}, 'RR002')")
    assert said.code == "RR016"
    assert (said.message or "").startswith("There is no kind of act ")


@pytest.mark.parametrize(
    "errcode", ["null", "''", "'RR02'", "'RR0022'", "'rr002'", "'P0001'", "e'RR002\\n'", "'RRabc'"]
)
def test_a_code_that_is_none_of_ours_is_rr016(sandbox: Connection, errcode: str) -> None:
    said = refusal(sandbox, f"select record_refusal('rerun', {errcode})")
    assert said.code == "RR016"
    assert (said.message or "").endswith(" is none of pgreprise.")


@pytest.mark.parametrize("kind", ["rerun", "undo", "cancel_run", "release_run", "reset_report", "batch"])
def test_each_kind_of_act_can_be_refused(sandbox: Connection, kind: str) -> None:
    sandbox.execute("select record_refusal(%s, 'RC002')", (kind,))
    assert refusals(sandbox) == [(kind, "RC002", 1)]


@pytest.mark.parametrize("scope", ["", "reports:read reports:write reports:work reports:admin"])
def test_who_may_not_rerun_may_not_count_refusals(sandbox: Connection, scope: str) -> None:
    sandbox.execute(
        "select set_config('request.jwt.claims', json_build_object('scope', %s::text)::text, true)", (scope,)
    )
    assert refusal(sandbox, "select record_refusal('rerun', 'RR002')").code == "RR017"
    assert refusals(sandbox) == []


def test_a_server_that_is_read_only_says_so(dba: Connection) -> None:
    dba.execute("set default_transaction_read_only = on")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        dba.execute("select record_refusal('rerun', 'RR002')")


def test_the_refused_reports_of_a_batch_count(sandbox: Connection) -> None:
    set_versions(sandbox)
    wrong = [
        add_report(sandbox, 999),
        add_report(sandbox, 998),
        add_report(sandbox, add_simulation(sandbox), year=None),
    ]
    ids = [household(sandbox), *wrong]
    batch = one(sandbox, "select create_rerun_batch(jsonb_build_object('ids', %s::bigint[])) as id", ids)["id"]
    sandbox.execute("select rerun_batch_chunk(%s, 2)", (batch,))
    assert refusals(sandbox) == [("batch", "RR002", 2)]
    sandbox.execute("select rerun_batch_chunk(%s)", (batch,))
    assert refusals(sandbox) == [("batch", "RR002", 2), ("batch", "RR005", 1)]


def test_a_batch_does_not_wait_long_for_a_counter_and_goes_on_without_it(connect: Connect, dba: Connection) -> None:
    ids = [add_report(dba, 999)]
    batch = one(dba, "select create_rerun_batch(jsonb_build_object('ids', %s::bigint[])) as id", ids)["id"]
    holder = connect(autocommit=False)
    holder.execute("select pgreprise.count_refusals('batch', 'RR002')")
    # Without a limit of its own it would wait for ever.
    assert one(dba, "select rerun_batch_chunk(%s) as done", batch)["done"]["refused"] == 1
    holder.commit()
    assert refusals(dba) == [("batch", "RR002", 1)]
    assert len(dba.execute("select * from rerun_batch_refusals(%s)", (batch,)).fetchall()) == 1


def test_a_batch_at_repeatable_read_goes_on_when_others_count(connect: Connect, dba: Connection) -> None:
    ids = [add_report(dba, 999)]
    batch = one(dba, "select create_rerun_batch(jsonb_build_object('ids', %s::bigint[])) as id", ids)["id"]
    dba.execute("select pgreprise.count_refusals('batch', 'RR002')")
    runner = connect()
    with runner.transaction():
        runner.execute("set transaction isolation level repeatable read")
        runner.execute("select 1 from pg_class limit 1")
        dba.execute("select pgreprise.count_refusals('batch', 'RR002')")
        runner.execute("select rerun_batch_chunk(%s)", (batch,))
    assert refusals(dba) == [("batch", "RR002", 2)]
    assert one(dba, "select refused from pgreprise.rerun_batch where batch_id = %s", batch)["refused"] == 1
