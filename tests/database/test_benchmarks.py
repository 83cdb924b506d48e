"""What the benchmarks compare rerun_report with leaves the same rows, and what they claim is finished; otherwise their
figures would mean nothing."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from sqlalchemy import URL

from benchmarks.claims import claim_buffers
from benchmarks.pgbench import SCRIPTS, statements
from benchmarks.queues import OUTPUT, PROCRASTINATE
from benchmarks.rerun import PythonClient
from benchmarks.rivals import IN_A_TRANSACTION, REFERENCE, ApplicationClient
from benchmarks.server import connect as open_connection
from tests.support.databases import Connection

# What tells one report from another, or when and by which path it was done.
OWN = {"report_id", "simulation_id", "reform_impact_id", "id", "rerun_id", "removal_id", "output", "region",
       "reform_impact_json", "baseline_policy_id", "reform_policy_id", "policy_id", "population_id", "simulation_ids",
       "reform_impact_ids", "simulation_1_id", "simulation_2_id"}  # fmt: skip
TIMES = {"ended_at", "created_at"}


def rows(connection: Connection, query: str, report_id: int) -> list[dict[str, Any]]:
    found = connection.execute(query.encode(), {"id": report_id}).fetchall()
    kept = [{name: value for name, value in row.items() if name not in OWN | TIMES} for row in found]
    for row in kept:
        for scope in row.get("cache_scopes", []):
            for name in OWN & scope.keys():
                del scope[name]
    return kept


def what_was_left(connection: Connection, report_id: int) -> dict[str, list[dict[str, Any]]]:
    """All rows about a report of the benchmarks' data, without what is its own."""
    queries = {
        "report": "select * from public.report_outputs where id = %(id)s",
        "simulations": "select * from public.simulations where id in (2 * %(id)s - 1, 2 * %(id)s)",
        "cache": "select * from public.reform_impact where reform_impact_id = %(id)s",
        "report runs": "select *, output is not null as is_kept from pgreprise.report_run where report_id = %(id)s",
        "simulation runs": "select *, output is not null as is_kept from pgreprise.simulation_run "
        "where simulation_id in (2 * %(id)s - 1, 2 * %(id)s)",
        "archive": "select * from pgreprise.reform_impact_archive where reform_impact_id = %(id)s",
        "act": "select * from pgreprise.rerun where report_id = %(id)s",
    }
    return {name: rows(connection, query, report_id) for name, query in queries.items()}


@pytest.fixture
def filled(dba: Connection) -> Connection:
    """The benchmarks' data, small."""
    fill = (SCRIPTS / "fill.sql").read_text(encoding="utf-8")
    dba.execute(fill.replace(":reports", "10").replace(":bytes", "200").encode())
    return dba


def test_the_rivals_of_the_benchmark_leave_what_rerun_report_leaves(filled: Connection, database: URL) -> None:
    for report_id, script in ((1, "rerun_report"), (2, "bare_rerun"), (3, "stepwise_rerun")):
        with open_connection(database) as connection:
            PythonClient(connection, script).rerun(report_id)
    expected = what_was_left(filled, 1)
    assert [len(found) for found in expected.values()] == [1, 2, 0, 1, 2, 1, 1]
    assert what_was_left(filled, 2) == expected
    assert what_was_left(filled, 3) == expected


@pytest.mark.parametrize("script", [REFERENCE, IN_A_TRANSACTION])
def test_the_applications_own_way_leaves_the_same_rows_but_neither_runs_nor_archive_nor_act(
    filled: Connection, database: URL, script: str
) -> None:
    ours, theirs = (ApplicationClient.of(database, name) for name in ("rerun_report", script))
    ours.rerun(1)
    theirs.rerun(2)
    ours.close()
    theirs.close()
    with open_connection(database) as connection:
        # As pgbench does it.
        assert PythonClient(connection, script).run({"report": 3})
    expected, found = what_was_left(filled, 1), what_was_left(filled, 2)
    assert what_was_left(filled, 3) == found
    for name in ("report runs", "simulation runs", "archive", "act"):
        assert expected[name] != []
        assert found[name] == []
    for name in ("report", "simulations"):
        assert [row.pop("run_sequence") for row in expected[name]] == [2] * len(expected[name])
        assert [row.pop("run_sequence") for row in found[name]] == [1] * len(found[name])
    assert [found[name] for name in ("report", "simulations", "cache")] == [
        expected[name] for name in ("report", "simulations", "cache")
    ]


def test_the_application_deletes_only_cache_rows_of_requests_without_options(filled: Connection, database: URL) -> None:
    filled.execute("update public.reform_impact set options_hash = '[dataset=default&model_version=1]'")
    ours, theirs = (ApplicationClient.of(database, name) for name in ("rerun_report", REFERENCE))
    ours.rerun(1)
    theirs.rerun(2)
    ours.close()
    theirs.close()
    left = filled.execute(
        "select reform_impact_id as id from public.reform_impact where reform_impact_id < 3"
    ).fetchall()
    assert left == [{"id": 2}]


def test_what_the_application_does_in_one_transaction_is_what_it_does_in_many() -> None:
    inner = statements(IN_A_TRANSACTION)
    assert inner == [("begin", False), *statements(REFERENCE), ("commit", False)]
    # Each of these may be the last one, where the application ends: four have written by the end.
    assert len(statements(REFERENCE)) == 10
    assert [text.split()[0] for text, _ in statements(REFERENCE) if not text.startswith("select")] == [
        "update", "update", "update", "delete"
    ]  # fmt: skip


@pytest.mark.needs("procrastinate")
def test_a_retry_of_procrastinate_puts_back_what_failed_and_not_what_succeeded(dba: Connection, database: URL) -> None:
    fill = (SCRIPTS / "rivals" / "failed_fill.sql").read_text(encoding="utf-8")
    dba.execute(fill.replace(":reports", "2").encode())
    jobs = "".join((SCRIPTS / f"{name}.sql").read_text() for name in ("claims/request", "rivals/procrastinate_fill"))
    with open_connection(database) as connection:
        PROCRASTINATE.install(connection)
        connection.execute(jobs.replace(":pending", "2").encode())
        retry = PythonClient(connection, "rivals/procrastinate_retry")
        retry.rerun(1)
        PythonClient(connection, "rerun_report").rerun(1)
        dba.execute("update procrastinate_jobs set status = 'succeeded' where id = 2")
        # Finished work is not put back, where a rerun does that.
        with pytest.raises(psycopg.errors.RaiseException, match="invalid status"):
            retry.rerun(2)
    left = dba.execute("select id, status, attempts from procrastinate_jobs order by id").fetchall()
    assert left == [{"id": 1, "status": "todo", "attempts": 2}, {"id": 2, "status": "succeeded", "attempts": 1}]
    reports = dba.execute(
        "select status, error_message, run_sequence from public.report_outputs order by id"
    ).fetchall()
    assert reports == [
        {"status": "pending", "error_message": None, "run_sequence": 2},
        {"status": "error", "error_message": "it failed", "run_sequence": 1},
    ]
    # A retry writes two events, and keeps nothing of the failure.
    kept = dba.execute("select error_message from pgreprise.report_run where report_id = 1").fetchall()
    assert kept == [{"error_message": "it failed"}]
    events = dba.execute("select type::text from procrastinate_events where job_id = 1 order by id").fetchall()
    assert [event["type"] for event in events] == ["scheduled", "retried"]


def test_the_bare_statements_of_the_batch_leave_what_a_batch_leaves(filled: Connection) -> None:
    batch = filled.execute("""select create_rerun_batch('{"ids": [1]}') as id""").fetchone()
    assert batch is not None
    filled.execute("call run_rerun_batch(%s::bigint)", (batch["id"],))
    bare = (SCRIPTS / "bare_batch.sql").read_text(encoding="utf-8")
    filled.execute(bare.replace(":low", "2").replace(":high", "2").encode())
    expected, found = what_was_left(filled, 1), what_was_left(filled, 2)
    for left in (expected, found):
        left["act"][0].pop("batch_id")
    assert found == expected


CLAIMED = "select * from pgreprise.claim order by report_id"
WORKER = {"client_id": 0, "output": OUTPUT}


def fill_claims(dba: Connection, **values: int | str) -> None:
    statements = (SCRIPTS / "claims" / "pgreprise_fill.sql").read_text(encoding="utf-8")
    for name, value in {"finished": 2, "pending": 40, "shared": 0, "simulations": "complete", **values}.items():
        statements = statements.replace(f":{name}", str(value))
    dba.execute(statements.encode())


@pytest.mark.parametrize(
    ("script", "simulations"), [("claims/pgreprise", "complete"), ("claims/simulations", "pending")]
)
def test_a_job_of_the_benchmark_is_a_report_that_is_claimed_and_finished(
    dba: Connection, database: URL, script: str, simulations: str
) -> None:
    fill_claims(dba, simulations=simulations)
    with open_connection(database) as connection:
        assert PythonClient(connection, script).run(WORKER)
    report = dba.execute("select status, output::text from public.report_outputs where id = 3").fetchone()
    assert report == {"status": "complete", "output": OUTPUT}
    finished = dba.execute("select id from public.simulations where id in (5, 6) and status = 'complete'").fetchall()
    assert len(finished) == 2
    assert [(row["report_id"], row["ended_as"]) for row in dba.execute(CLAIMED).fetchall()] == [(3, "complete")]


def test_a_retry_of_the_benchmark_waits_while_others_are_claimed(dba: Connection, database: URL) -> None:
    fill_claims(dba)
    with open_connection(database) as connection:
        assert PythonClient(connection, "claims/pgreprise_retry").run(WORKER)
        assert PythonClient(connection, "claims/pgreprise").run(WORKER)
    assert [row["ended_as"] for row in dba.execute(CLAIMED).fetchall()] == ["error", "complete"]


def test_the_benchmark_counts_the_buffers_of_claims_that_stay_open(dba: Connection, database: URL) -> None:
    fill_claims(dba, shared=4, simulations="pending")
    with open_connection(database) as connection:
        buffers, empty = claim_buffers(connection, "claims/pgreprise", 3)
    claimed = dba.execute(CLAIMED).fetchall()
    # The first one computes the baseline that the next three wait for.
    assert [(row["report_id"], row["ended_as"]) for row in claimed] == [
        (number, None) for number in (3, 7, 8, 9, 10, 11)
    ]
    # Fewer would be those of the function alone, without its statements.
    assert len(buffers) == 3
    assert min(buffers) > 20
    assert empty == 0
