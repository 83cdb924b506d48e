"""Growth: one rerun in small and in large tables."""

from __future__ import annotations

import random
import statistics
import time

from benchmarks.data import filled_database
from benchmarks.harness import Bench, Figure, Spread, ratios
from benchmarks.server import Connection, connect

__all__ = ["run"]

CALLS_A_ROUND = 200
_SCANS = """
select sum(seq_scan), sum(idx_scan), sum(coalesce(idx_tup_fetch, 0) + seq_tup_read)
  from pg_stat_xact_user_tables
 where schemaname = 'public' or relname in ('report_run', 'simulation_run', 'rerun', 'reform_impact_archive')
"""


class _Table:
    """The reports of one database, each rerun once, in random order."""

    def __init__(self, connection: Connection, rows: int) -> None:
        self.connection = connection
        self.rows = rows
        self.samples: list[float] = []
        # As a server with a long life has them, not as the first connection after a start.
        self.connection.execute("set synchronous_commit = off")
        self._ids = iter(random.Random(7).sample(range(1, rows + 1), min(rows, 20_000)))

    def rerun(self) -> float:
        """Milliseconds of one rerun."""
        began = time.perf_counter()
        self.connection.execute("call public.rerun_report(%s::bigint, 'us')", (next(self._ids),), prepare=True)
        return (time.perf_counter() - began) * 1000

    def round(self, calls: int) -> float:
        """The median of a round."""
        times = [self.rerun() for _ in range(calls)]
        self.samples += times
        return statistics.median(times)

    def scans(self, calls: int) -> tuple[int, int, int]:
        """Sequential scans, index scans and rows read by some reruns, the writes of foreign keys and all included."""
        with self.connection.transaction():
            before = self.connection.execute(_SCANS).fetchone()
            for _ in range(calls):
                self.rerun()
            after = self.connection.execute(_SCANS).fetchone()
        assert before is not None
        assert after is not None
        sequential, by_index, rows = (int(str(one)) - int(str(other)) for one, other in zip(after, before, strict=True))
        return sequential, by_index, rows


def _percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def run(bench: Bench) -> list[Figure]:
    """Latency of rerun_report, over one connection, in tables of each size in turn.

    Commits do not wait for the disk here: the wait is the same whatever the size and would hide a difference.
    """
    calls = 20 if bench.short else CALLS_A_ROUND
    tables: list[_Table] = []
    for rows in bench.sizes:
        began = time.perf_counter()
        database = filled_database(bench.server, f"bench_growth_{rows}", rows, 0)
        bench.progress(f"{rows:,} reports and cache rows, {2 * rows:,} simulations in "
                       f"{time.perf_counter() - began:.0f} s")  # fmt: skip
        tables.append(_Table(connect(database), rows))

    figures = []
    for table in tables:
        table.round(calls)
        table.samples.clear()
        sequential, by_index, rows = table.scans(10)
        assert sequential == 0, f"{sequential} sequential scans at {table.rows:,} rows"
        figures.append(Figure("growth", f"rows read by one rerun at {table.rows:,}, each by an index",
                              Spread.of([rows / 10]), "rows"))  # fmt: skip
        bench.progress(f"{table.rows:,}: {by_index} index scans, {sequential} sequential scans in 10 reruns")

    medians: list[list[float]] = [[] for _ in tables]
    for _ in range(bench.rounds):
        for table, values in zip(tables, medians, strict=True):
            values.append(table.round(calls))
    for table, values in zip(tables, medians, strict=True):
        figures += [
            Figure("growth", f"median of one rerun at {table.rows:,}", Spread.of(values), "ms"),
            Figure("growth", f"99th percentile at {table.rows:,}",
                   Spread.of([_percentile(table.samples, 0.99)]), "ms"),
        ]  # fmt: skip
    for table, values in zip(tables[1:], medians[1:], strict=True):
        figures.append(Figure("growth", f"median at {table.rows:,} against {tables[0].rows:,}",
                              ratios(values, medians[0]), at_most=1.3))  # fmt: skip
    for table in tables:
        table.connection.close()
    return figures
