"""A caller that tries again with the same key does not rerun twice."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel

from tests.support.concurrency import CALLERS, LEVELS, at_once, connections, waiting_for_a_lock
from tests.support.databases import Connect, Connection
from tests.support.factories import add_economy_report, add_reform_impact, add_report, add_simulation, set_versions
from tests.support.refusals import refusal
from tests.support.snapshots import everything, snapshot
from tests.support.statements import one, rerun, undo

CALL = "call rerun_report(%s::bigint, idempotency_key => %s)"


def with_key(connection: Connection, report_id: int, key: str | None) -> dict[str, Any]:
    result: dict[str, Any] = one(connection, CALL, report_id, key)["result"]
    return result


@pytest.fixture
def report(sandbox: Connection) -> int:
    """A computed economy report with a row of its cache."""
    set_versions(sandbox)
    add_reform_impact(sandbox)
    return add_economy_report(sandbox)[0]


def test_the_same_key_gives_the_first_result_and_changes_nothing(sandbox: Connection, report: int) -> None:
    first = with_key(sandbox, report, "k")
    assert first["economy_cache_rows_deleted"] == 1
    before = everything(sandbox)
    for _ in range(3):
        assert with_key(sandbox, report, "k") == first
    assert everything(sandbox) == before


def test_the_first_result_is_given_whatever_has_happened_since(sandbox: Connection, report: int) -> None:
    first = with_key(sandbox, report, "k")
    # The result came in, another rerun was made, its cache is full again, and now the report is even malformed.
    sandbox.execute("select update_report(%s, status => 'complete', output => '{}')", (report,))
    rerun(sandbox, report)
    add_reform_impact(sandbox)
    sandbox.execute("delete from public.simulations")
    before = everything(sandbox)
    assert with_key(sandbox, report, "k") == first
    assert everything(sandbox) == before


def test_without_a_key_and_with_another_key_it_is_another_rerun(sandbox: Connection, report: int) -> None:
    runs = [with_key(sandbox, report, key)["run_sequence"] for key in ("k", None, "K", "k ", None, "k")]
    assert runs == [2, 3, 4, 5, 6, 2]


def test_the_key_of_another_report_is_rr012(sandbox: Connection, report: int) -> None:
    other = add_report(sandbox, add_simulation(sandbox, population_type="household"))
    first = with_key(sandbox, report, "k")
    said = refusal(sandbox, CALL, other, "k")
    assert said[:3] == (
        "RR012",
        f"This idempotency key was used for report #{report}, not for report #{other}.",
        {"report_id": other, "used_for_report_id": report, "rerun_id": first["rerun_id"]},
    )
    assert said.hint == "Nothing was changed. Use a new key for each rerun."


def test_the_key_of_a_rerun_that_was_undone_is_rr014(sandbox: Connection, report: int) -> None:
    first = with_key(sandbox, report, "k")
    undo(sandbox, first["rerun_id"])
    said = refusal(sandbox, CALL, report, "k")
    assert said[:3] == (
        "RR014",
        f"This idempotency key was used for rerun #{first['rerun_id']}, which was undone.",
        {"report_id": report, "rerun_id": first["rerun_id"]},
    )
    assert said.hint == "Nothing was changed. To rerun the report again, use a new key."
    assert with_key(sandbox, report, "k2")["run_sequence"] == 4


@pytest.mark.parametrize("defect", ["no report", "no simulation", "another country"])
def test_a_refused_rerun_leaves_its_key_free(sandbox: Connection, report: int, defect: str) -> None:
    bad = {
        "no report": (999999999, "us"),
        "no simulation": (add_report(sandbox, 999999999), "us"),
        "another country": (report, "uk"),
    }[defect]
    refusal(sandbox, "call rerun_report(%s, %s, 'k')", *bad)
    assert with_key(sandbox, report, "k")["run_sequence"] == 2


def test_a_rerun_that_was_rolled_back_leaves_its_key_free(sandbox: Connection, report: int) -> None:
    with sandbox.transaction(force_rollback=True):
        with_key(sandbox, report, "k")
    other = add_report(sandbox, add_simulation(sandbox, population_type="household"))
    assert with_key(sandbox, other, "k")["report_id"] == other


def test_a_key_outlives_a_purge(sandbox: Connection, report: int) -> None:
    first = with_key(sandbox, report, "k")
    sandbox.execute("update pgreprise.rerun set created_at = now() - interval '1 day'")
    sandbox.execute("select purge_chunk(interval '0', 0)")
    before = everything(sandbox)
    assert with_key(sandbox, report, "k") == first
    assert everything(sandbox) == before


@pytest.mark.parametrize("key", ["x", "x" * 255, "é" * 255, " ", "'; drop table pgreprise.rerun_key; --%s"])
def test_a_key_has_1_to_255_characters(sandbox: Connection, report: int, key: str) -> None:
    first = with_key(sandbox, report, key)
    assert with_key(sandbox, report, key) == first
    assert one(sandbox, "select idempotency_key from report_history(%s) limit 1", report)["idempotency_key"] == key


@pytest.mark.parametrize("key", ["", "x" * 256, "é" * 256])
def test_a_key_of_another_length_is_rr016(sandbox: Connection, report: int, key: str) -> None:
    said = refusal(sandbox, CALL, report, key)
    assert said[:3] == ("RR016", "An idempotency key has 1 to 255 characters.", {"length": len(key)})
    assert said.hint


# --- at the same moment ----------------------------------------------------------------------


@pytest.fixture
def rows(dba: Connection) -> Connection:
    """Report 1, an economy report with a row of its cache, and report 2 of one of its simulations."""
    set_versions(dba)
    _, first, _ = add_economy_report(dba)
    add_report(dba, first)
    add_reform_impact(dba)
    return dba


def until_nobody_is_in_the_way(connection: Connection, report_id: int, key: str) -> dict[str, Any] | str:
    """Rerun as DESIGN asks of callers at the stricter levels, or say with which code it was refused."""
    while True:
        try:
            with connection.transaction():
                # The snapshot of a stricter transaction is older than what another one does.
                connection.execute("select from get_report(%s)", (report_id,))
                return with_key(connection, report_id, key)
        except psycopg.errors.SerializationFailure:
            continue
        except psycopg.Error as error:
            return error.sqlstate or "no code"


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_callers_with_one_key_at_one_moment_do_one_rerun(
    rows: Connection, connect: Connect, level: IsolationLevel
) -> None:
    callers = connections(connect, CALLERS, level)
    for number in range(10):
        results = at_once(
            CALLERS, lambda caller, number=number: until_nobody_is_in_the_way(callers[caller], 1, f"key {number}")
        )
        assert results == [results[0]] * CALLERS
        assert isinstance(results[0], dict)
        assert (results[0]["report_id"], results[0]["run_sequence"]) == (1, number + 2)
    assert one(rows, "select count(*) as acts from pgreprise.rerun")["acts"] == 10
    assert one(rows, "select count(*) as keys from pgreprise.rerun_key")["keys"] == 10


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_of_callers_with_one_key_for_two_reports_those_of_one_report_get_the_rerun(
    rows: Connection, connect: Connect, level: IsolationLevel
) -> None:
    callers = connections(connect, CALLERS, level)
    for number in range(10):
        results = at_once(
            CALLERS,
            lambda caller, number=number: until_nobody_is_in_the_way(callers[caller], caller % 2 + 1, f"key {number}"),
        )
        [done] = {str(result): result for result in results if isinstance(result, dict)}.values()
        assert isinstance(done, dict)
        for caller, result in enumerate(results):
            assert result == (done if caller % 2 + 1 == done["report_id"] else "RR012")
    assert one(rows, "select count(*) as acts from pgreprise.rerun")["acts"] == 10


def test_the_second_caller_waits_for_the_first_and_gets_its_result(rows: Connection, connect: Connect) -> None:
    rows.execute("begin")
    first = with_key(rows, 1, "k")
    with waiting_for_a_lock(connect(), connect(role="pgreprise_api"), CALL, 1, "k") as second:
        rows.execute("commit")
    assert second.result().fetchall() == [{"result": first}]


def test_the_second_caller_does_the_rerun_when_the_first_is_rolled_back(rows: Connection, connect: Connect) -> None:
    before = snapshot(rows)
    rows.execute("begin")
    with_key(rows, 1, "k")
    # For another report, so that it is the key that they meet at.
    with waiting_for_a_lock(connect(), connect(role="pgreprise_api"), CALL, 2, "k") as second:
        rows.execute("rollback")
    [row] = second.result().fetchall()
    assert row["result"]["report_id"] == 2
    assert snapshot(rows)["report_outputs"][0] == before["report_outputs"][0]
