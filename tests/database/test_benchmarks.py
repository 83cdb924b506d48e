"""What the benchmarks compare rerun_report with leaves the same rows, and what they claim is finished; otherwise their
figures would mean nothing."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import URL

from benchmarks.claims import claim_buffers
from benchmarks.pgbench import SCRIPTS
from benchmarks.queues import OUTPUT
from benchmarks.rerun import PythonClient
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
