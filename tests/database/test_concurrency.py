"""Many callers at once: nobody waits for ever, nobody deadlocks, and what they leave behind is whole."""

from __future__ import annotations

import itertools
import random
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel

from tests.support.claims import claim
from tests.support.concurrency import CALLERS, LEVELS, at_once, connections, waiting_for_a_lock
from tests.support.databases import Connect, Connection
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.snapshots import snapshot
from tests.support.statements import one, rerun

ROUNDS = 25


# --- how long a call waits -------------------------------------------------------------------

WRITERS = [
    "call rerun_report(1)",
    "select reset_report(1)",
    "select reset_simulation(1)",
    "select update_report(1, status => 'running')",
    "select update_simulation(1, status => 'running')",
    "select delete_reform_impacts('us', 2, 3, 'state/ny', 'default', '2025')",
    "select get_or_create_simulation('us', 'state/ny', 'geography', 8)",
    "select get_or_create_report('us', 1, year => '2030')",
    "select set_cache_versions('us', 'e158e63ef1')",
]


@pytest.fixture
def rows(dba: Connection) -> Connection:
    """Report 1 of simulation 1, and a row of its cache."""
    set_versions(dba)
    add_economy_report(dba)
    add_reform_impact(dba)
    return dba


def test_a_writer_waits_five_seconds_at_most_or_as_long_as_its_caller_said(sandbox: Connection) -> None:
    set_versions(sandbox)
    report = add_economy_report(sandbox)[0]
    add_reform_impact(sandbox)
    act = rerun(sandbox, report)["rerun_id"]
    batch = one(sandbox, 'select create_rerun_batch(\'{"country": "us"}\') as id')["id"]
    computed = add_simulation(sandbox, status="pending", output=None)
    ready_simulation = add_simulation(sandbox)
    claimed = claim(sandbox, add_report(sandbox, computed, status="pending", output=None))
    ready = claim(sandbox, add_report(sandbox, ready_simulation, status="pending", output=None))
    cancelled = one(sandbox, "select create_rerun_batch('{\"ids\": [7]}') as id")["id"]
    still = add_simulation(sandbox, status="running", output=None)
    stuck = add_report(sandbox, still, status="running", output=None)
    calls = [
        *(call for call in WRITERS if "(1" not in call),
        f"call rerun_report({report})",
        f"select reset_report({report})",
        f"select update_report({report}, status => 'running')",
        "select get_or_create_report('us', id, year => '2030') from public.simulations",
        "select reset_simulation(id) from public.simulations",
        f"select update_simulation(id, status => 'running') from public.simulations where id <> {ready_simulation}",  # noqa: S608
        f"call undo_rerun({act})",
        f"call rerun_reports(array[{report}])",
        'select create_rerun_batch(\'{"year": "2025"}\')',
        f"select rerun_batch_chunk({batch})",
        f"select undo_batch_chunk({batch})",
        f"select cancel_rerun_batch({cancelled})",
        "select purge_chunk(interval '0')",
        "select set_setting('archive_outputs', 'off')",
        "select * from rerun_feed(0)",
        "select keep_feed_position('someone', 0)",
        "select * from claim_report('worker')",
        f"select * from heartbeat_claim('{claimed['claim_id']}')",  # noqa: S608
        f"select * from finish_simulation('{claimed['claim_id']}', {computed}, '1')",  # noqa: S608
        f"select * from fail_simulation('{claimed['claim_id']}', {computed}, 'no')",  # noqa: S608
        f"select * from finish_report('{ready['claim_id']}', '1')",  # noqa: S608
        f"select * from fail_report('{claimed['claim_id']}', 'no')",  # noqa: S608
        f"select release_claim('{claimed['claim_id']}')",
        f"select cancel_run({claimed['report_id']})",
        f"select release_stuck_run({stuck})",
        "select * from release_stuck_runs(interval '0')",
        "select record_refusal('rerun', 'RR002')",
    ]
    # The other domains' are tested by themselves.
    writers = sandbox.execute(
        "select proname as name from pg_proc "
        "join pgreprise.routine_version as entry on entry.name in ('reports/' || proname, 'core/' || proname) "
        "where pronamespace = 'public'::regnamespace and prosecdef and provolatile = 'v'"
    ).fetchall()
    named = {call.split("(")[0].split()[-1] for call in calls}
    assert named == {row["name"] for row in writers}
    for call in calls:
        for chosen, kept in (("0", "5s"), ("123ms", "123ms"), ("1min", "1min")):
            with sandbox.transaction(force_rollback=True):
                sandbox.execute("select set_config('lock_timeout', %s, true)", (chosen,))
                sandbox.execute(call.encode())
                assert one(sandbox, "show lock_timeout")["lock_timeout"] == kept, call


def test_the_limit_of_a_wait_ends_with_the_transaction(rows: Connection) -> None:
    with rows.transaction():
        for call in WRITERS:
            rows.execute("set local lock_timeout = 0")
            rows.execute(call)
            assert one(rows, "show lock_timeout")["lock_timeout"] == "5s"
    assert one(rows, "show lock_timeout")["lock_timeout"] == "0"


@pytest.mark.parametrize(
    ("call", "held"),
    [
        ("call rerun_report(1)", "select from public.report_outputs where id = 1 for update"),
        ("call rerun_report(1)", "select from public.simulations where id = 1 for update"),
        ("call rerun_report(1)", "select from public.simulations where id = 2 for update"),
        ("call rerun_report(1)", "select from public.reform_impact for update"),
        ("select reset_report(1)", "select from public.report_outputs for update"),
        ("select reset_simulation(1)", "select from public.simulations for update"),
        ("select update_report(1, status => 'running')", "select from public.report_outputs for update"),
        ("select update_simulation(1, status => 'running')", "select from public.simulations for update"),
        (WRITERS[5], "select from public.reform_impact for update"),
        (WRITERS[6], WRITERS[6]),
        (WRITERS[7], WRITERS[7]),
        (WRITERS[8], "select from pgreprise.country for update"),
    ],
)
def test_a_call_that_has_to_wait_too_long_fails_and_has_changed_nothing(
    rows: Connection, connect: Connect, call: str, held: str
) -> None:
    rows.execute("select set_setting('allow_unfinish', 'on')")
    before = snapshot(rows)
    caller = connect()
    caller.execute("set lock_timeout = '20ms'")
    with rows.transaction(force_rollback=True):
        rows.execute(held)
        with pytest.raises(psycopg.errors.LockNotAvailable):
            caller.execute(call)
    assert snapshot(rows) == before
    caller.execute(call)


# --- the order of locks ----------------------------------------------------------------------


def test_a_rerun_locks_its_report_before_its_simulations(rows: Connection, connect: Connect) -> None:
    rows.execute("begin")
    rows.execute("select from public.report_outputs where id = 1 for update")
    with waiting_for_a_lock(connect(), connect(), "call rerun_report(1)"):
        rows.execute("select from public.simulations for update nowait")
        rows.execute("commit")


@pytest.mark.parametrize("links", [(1, 2), (2, 1)])
def test_a_rerun_locks_its_simulations_by_id_however_they_are_linked(
    rows: Connection, connect: Connect, links: tuple[int, int]
) -> None:
    report = add_report(rows, *links)
    rows.execute("begin")
    rows.execute("select from public.simulations where id = 1 for update")
    with waiting_for_a_lock(connect(), connect(), "call rerun_report(%s)", report):
        rows.execute("select from public.simulations where id = 2 for update nowait")
        rows.execute("select from public.reform_impact for update nowait")
        rows.execute("commit")


def test_a_rerun_locks_its_simulations_before_its_cache(rows: Connection, connect: Connect) -> None:
    rows.execute("begin")
    rows.execute("select from public.simulations where id = 2 for update")
    with waiting_for_a_lock(connect(), connect(), "call rerun_report(1)"):
        rows.execute("select from public.reform_impact for update nowait")
        rows.execute("commit")


def test_cache_rows_are_locked_by_id_however_they_lie_in_the_table(rows: Connection, connect: Connect) -> None:
    first = one(rows, "select min(reform_impact_id) as id from public.reform_impact")["id"]
    second = add_reform_impact(rows)
    # Moves the first behind the second, in the table and in the index of keys.
    rows.execute("update public.reform_impact set api_version = 'z' where reform_impact_id = %s", (first,))
    rows.execute("begin")
    rows.execute("select from public.reform_impact where reform_impact_id = %s for update", (first,))
    with waiting_for_a_lock(connect(), connect(), WRITERS[5]):
        rows.execute("select from public.reform_impact where reform_impact_id = %s for update nowait", (second,))
        rows.execute("commit")
    assert snapshot(rows)["reform_impact"] == []


def test_a_cache_row_that_leaves_the_key_meanwhile_is_neither_deleted_nor_counted(
    rows: Connection, connect: Connect
) -> None:
    rows.execute("begin")
    rows.execute("update public.reform_impact set dataset = 'moved away'")
    with waiting_for_a_lock(connect(), connect(), WRITERS[5]) as deleting:
        rows.execute("commit")
    assert deleting.result().fetchall() == [{"delete_reform_impacts": 0}]
    assert [row["dataset"] for row in snapshot(rows)["reform_impact"]] == ["moved away"]


def test_a_rerun_that_waited_sees_what_the_other_changed(rows: Connection, connect: Connect) -> None:
    rows.execute("begin")
    rows.execute("update public.simulations set population_type = 'household' where id = 2")
    caller = connect()
    with pytest.raises(psycopg.Error) as caught, waiting_for_a_lock(connect(), caller, "call rerun_report(1)"):
        rows.execute("commit")
    assert caught.value.sqlstate == "RR003"


# --- many reruns -----------------------------------------------------------------------------


def assert_all_pending(connection: Connection) -> None:
    after = snapshot(connection)
    for row in (*after["report_outputs"], *after["simulations"]):
        assert (row["status"], row["output"], row["error_message"]) == ("pending", None, None)
    assert after["reform_impact"] == []


def test_two_callers_rerun_one_report_and_the_cache_is_counted_once(rows: Connection, connect: Connect) -> None:
    add_reform_impact(rows, status="computing")
    callers = connections(connect, CALLERS)
    results = at_once(CALLERS, lambda number: rerun(callers[number], 1, "us"))
    assert sorted(result.pop("economy_cache_rows_deleted") for result in results) == [0] * (CALLERS - 1) + [2]
    # Each is a rerun of its own, and ends the run before it.
    assert sorted(result.pop("run_sequence") for result in results) == list(range(2, CALLERS + 2))
    assert len({result.pop("rerun_id") for result in results}) == CALLERS
    told = {"report_id": 1, "report_type": "geography", "simulation_ids": [1, 2]}
    assert all(told.items() <= result.items() for result in results)
    assert_all_pending(rows)


def test_reports_that_share_simulations_in_opposite_order_rerun_without_deadlock(
    rows: Connection, connect: Connect
) -> None:
    third = add_simulation(rows, policy_id=4)
    reports = [1] + [
        add_report(rows, first, second)
        for first, second in [*itertools.permutations((1, 2, third), 2), (1, 1), (2, None), (third, None)]
    ]
    for baseline, reform in itertools.product((2, 3, 4), repeat=2):
        add_reform_impact(rows, baseline_policy_id=baseline, reform_policy_id=reform)
    callers = connections(connect, CALLERS)

    def work(number: int) -> int:
        chance = random.Random(number)
        return sum(
            rerun(callers[number], report)["economy_cache_rows_deleted"]
            for _ in range(ROUNDS)
            for report in chance.sample(reports, len(reports))
        )

    # Each of the nine keys is a report's; one more row was there from the start.
    assert sum(at_once(CALLERS, work)) == 10
    assert_all_pending(rows)


def test_reruns_and_updates_of_the_same_rows_leave_no_row_half_reset(rows: Connection, connect: Connect) -> None:
    add_report(rows, 2, 1)
    callers = connections(connect, CALLERS)
    calls = [
        "call rerun_report(1)",
        "call rerun_report(2)",
        "select update_report(1, status => 'complete', output => '{}', error_message => 'late')",
        "select update_simulation(1, status => 'complete', output => '{}', error_message => 'late')",
        "select update_simulation(2, status => 'complete', output => '{}', error_message => 'late')",
        "select delete_reform_impacts('us', 2, 3, 'state/ny', 'default', '2025', statuses => array['ok'])",
        "select reset_simulation(2)",
        "select reset_report(1)",
    ]

    def work(number: int) -> None:
        for _ in range(ROUNDS * 4):
            try:
                callers[number].execute(calls[number])
            except psycopg.Error as error:
                # What was finished before, with another result.
                if error.sqlstate != "RR020":
                    raise

    at_once(CALLERS, work)
    after = snapshot(rows)
    whole = {("pending", None, None), ("complete", "{}", "late")}
    for row in (*after["report_outputs"], *after["simulations"]):
        assert (row["status"], row["output"], row["error_message"]) in whole
    rerun(rows, 1)
    rerun(rows, 2)
    assert_all_pending(rows)


def test_overlapping_deletes_do_not_deadlock_and_count_each_row_once(rows: Connection, connect: Connect) -> None:
    callers = connections(connect, CALLERS)
    narrow = ", statuses => array['computing']"
    inserted = len(snapshot(rows)["reform_impact"])

    def fill() -> int:
        chance = random.Random(1)
        for _ in range(40):
            add_reform_impact(
                rows, status=chance.choice(["ok", "computing", "error"]), api_version=chance.choice("abc")
            )
        # The order in the table shall not be that of the ids.
        rows.execute("update public.reform_impact set message = 'moved' where reform_impact_id % 3 = 0")
        return 40

    def work(number: int) -> int:
        call = WRITERS[5].replace("'[]')", f"'[]'{narrow if number % 2 else ''})")
        return int(one(callers[number], f"{call} as deleted")["deleted"])

    deleted = 0
    for _ in range(ROUNDS):
        inserted += fill()
        deleted += sum(at_once(CALLERS, work))
    assert deleted == inserted
    assert snapshot(rows)["reform_impact"] == []


# --- get or create ---------------------------------------------------------------------------


def get_or_create(connection: Connection, call: str, *arguments: Any) -> tuple[int, bool]:
    """Call until no other transaction is in the way, as DESIGN asks of callers at the stricter levels."""
    while True:
        try:
            with connection.transaction():
                # The snapshot of a stricter transaction is older than the row that another one creates.
                connection.execute("select count(*) from public.simulations, public.report_outputs")
                row = one(connection, f"select (found.stored).id, found.created from {call} as found", *arguments)  # noqa: S608
            return row["id"], row["created"]
        except psycopg.errors.SerializationFailure:
            continue


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_many_callers_that_want_one_simulation_get_one_row_and_one_of_them_created_it(
    rows: Connection, connect: Connect, level: IsolationLevel
) -> None:
    callers = connections(connect, 16, level)
    # The second time the row is gone, as after a clean-up by hand, and the key is still known.
    for policy in [*range(100, 108)] * 2:
        rows.execute("delete from public.simulations where policy_id = %s", (policy,))
        found = at_once(
            16,
            lambda number, policy=policy: get_or_create(
                callers[number], "get_or_create_simulation('us', 'state/ny', 'geography', %s)", policy
            ),
        )
        stored = rows.execute("select id from public.simulations where policy_id = %s", (policy,)).fetchall()
        assert [row["id"] for row in stored] == list({simulation for simulation, _ in found})
        assert sorted(created for _, created in found) == [False] * 15 + [True]


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
@pytest.mark.parametrize("second", [2, None])
def test_many_callers_that_want_one_report_get_one_row_and_one_of_them_created_it(
    rows: Connection, connect: Connect, level: IsolationLevel, second: int | None
) -> None:
    callers = connections(connect, 16, level)
    # The second time the row is gone, as after a clean-up by hand, and the key is still known.
    for year in [*range(2030, 2038)] * 2:
        rows.execute("delete from public.report_outputs where year = %s", (str(year),))
        found = at_once(
            16,
            lambda number, year=year: get_or_create(
                callers[number], "get_or_create_report('us', 1, %s::bigint, year => %s)", second, str(year)
            ),
        )
        stored = rows.execute("select id from public.report_outputs where year = %s", (str(year),)).fetchall()
        assert [row["id"] for row in stored] == list({report for report, _ in found})
        assert sorted(created for _, created in found) == [False] * 15 + [True]


def test_a_row_whose_creation_was_rolled_back_is_created_by_the_caller_that_waited(
    rows: Connection, connect: Connect
) -> None:
    rows.execute("begin")
    rows.execute(WRITERS[6])
    with waiting_for_a_lock(connect(), connect(), WRITERS[6].replace("select", "select * from")) as waiting:
        rows.execute("rollback")
    [answer] = waiting.result().fetchall()
    stored = rows.execute("select id from public.simulations where policy_id = 8").fetchall()
    assert answer["created"] is True
    assert len(stored) == 1


@pytest.mark.parametrize("level", LEVELS[1:], ids=lambda level: level.name)
def test_a_stricter_caller_whose_snapshot_is_too_old_is_told_to_retry_and_creates_no_second_row(
    rows: Connection, connect: Connect, level: IsolationLevel
) -> None:
    caller = connect()
    caller.isolation_level = level
    caller.autocommit = False
    caller.execute("select from public.simulations")
    rows.execute(WRITERS[6])
    with pytest.raises(psycopg.errors.SerializationFailure):
        caller.execute(WRITERS[6])
    caller.rollback()
    assert len(rows.execute("select from public.simulations where policy_id = 8").fetchall()) == 1
    caller.execute(WRITERS[6])
    assert len(rows.execute("select from public.simulations where policy_id = 8").fetchall()) == 1
