"""The invariants: read from one snapshot while everything else goes on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from benchmarks.server import Connection

__all__ = ["QUERIES", "QUERIES_OF_THE_END", "Violation", "check", "watch_runs"]

_EXPLORE = """
select carbon_project_id, year, count(*)
  from public.carbon_reports as report join public.carbon_projects as project on project.id = report.carbon_project_id
 where project.carbon_report_type = 'Simulator_Explore'
 group by carbon_project_id, year having count(*) > 1
"""
# When everything that waited has been worked off.
QUERIES_OF_THE_END = {
    "at the end: nothing pending is lost": (
        "select id, run_sequence, status from public.report_outputs where status not in ('complete', 'error')"
    ),
    "at the end: nobody holds anything": "select report_id, worker from pgreprise.claim where ended_at is null",
    "at the end: no simulation is left running": (
        "select id, run_sequence from public.simulations where status = 'running'"
    ),
    "at the end: no retry is left over": "select report_id, run_sequence from pgreprise.retry",
}


class Violation(Exception):
    """Something that must never be, is."""


def _queries() -> list[tuple[str, str]]:
    text = (Path(__file__).parent / "invariants.sql").read_text(encoding="utf-8")
    parts = [part.split("\n", 1) for part in text.split("-- name: ")[1:]]
    return [(name, query) for name, query in parts]


QUERIES = _queries()


def check(connection: Connection, counts: Counter[str]) -> None:
    """Check every invariant. Raises Violation with the rows that break the first one."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        queries = list(QUERIES)
        if connection.execute("select to_regclass('public.carbon_projects')").fetchone() != (None,):
            queries.append(("one explore report a project and year", _EXPLORE))
        for name, query in queries:
            rows = connection.execute(query.encode()).fetchmany(5)
            if rows:
                raise Violation(f"{name}: {rows}")
            counts[name] += 1


def watch_runs(connection: Connection, seen: dict[tuple[str, int], int], counts: Counter[str]) -> None:
    """Compare the runs of all rows with those seen before. Raises Violation when one has gone back."""
    rows = connection.execute(
        "select 'report', id, run_sequence from public.report_outputs "
        "union all select 'simulation', id, run_sequence from public.simulations"
    ).fetchall()
    for kind, row_id, run in rows:
        key = (str(kind), int(str(row_id)))
        if int(str(run)) < seen.get(key, 0):
            raise Violation(f"run_sequence of {key} went back from {seen[key]} to {run}")
        seen[key] = int(str(run))
    counts["run_sequence never goes back"] += 1
