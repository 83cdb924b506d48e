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
NEIGHBOURS = 10_000
_SCANS = """
select sum(seq_scan), sum(idx_scan), sum(coalesce(idx_tup_fetch, 0) + seq_tup_read)
  from pg_stat_xact_user_tables
 where schemaname = 'public' or relname in ('report_run', 'simulation_run', 'rerun', 'reform_impact_archive')
"""


class _Table:
    """The reports of one database, each rerun once, in random order: from all of it, or from 10,000 neighbours."""

    def __init__(self, connection: Connection, rows: int) -> None:
        self.connection = connection
        self.rows = rows
        self.times: dict[str, list[float]] = {"anywhere": [], "among neighbours": []}
        self.medians: dict[str, list[float]] = {"anywhere": [], "among neighbours": []}
        self.connection.execute("set synchronous_commit = off")
        chance = random.Random(7)
        neighbours = chance.sample(range(1, NEIGHBOURS + 1), NEIGHBOURS)
        self._ids = {"among neighbours": iter(neighbours), "anywhere": iter(neighbours)}
        if rows > 2 * NEIGHBOURS:
            self._ids["anywhere"] = iter(chance.sample(range(NEIGHBOURS + 1, rows + 1), NEIGHBOURS))
        elif rows < NEIGHBOURS:
            few = iter(chance.sample(range(1, rows + 1), rows))
            self._ids = dict.fromkeys(self._ids, few)
        else:
            self._ids = dict.fromkeys(self._ids, self._ids["anywhere"])

    def rerun(self, where: str) -> float:
        """Milliseconds of one rerun."""
        began = time.perf_counter()
        self.connection.execute("call public.rerun_report(%s::bigint, 'us')", (next(self._ids[where]),), prepare=True)
        return (time.perf_counter() - began) * 1000

    def round(self, where: str, calls: int) -> None:
        """Some reruns; their times and the median are kept."""
        times = [self.rerun(where) for _ in range(calls)]
        self.times[where] += times
        self.medians[where].append(statistics.median(times))

    def scans(self, calls: int) -> tuple[int, int, int]:
        """Sequential scans, index scans and rows read by some reruns, the writes of foreign keys and all included."""
        with self.connection.transaction():
            before = self.connection.execute(_SCANS).fetchone()
            for _ in range(calls):
                self.rerun("anywhere")
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
        sequential, by_index, rows = table.scans(10)
        assert sequential == 0, f"{sequential} sequential scans at {table.rows:,} rows"
        figures.append(Figure("growth", f"rows read by one rerun at {table.rows:,}, each by an index",
                              Spread.of([rows / 10]), "rows"))  # fmt: skip
        bench.progress(f"{table.rows:,}: {by_index} index scans, {sequential} sequential scans in 10 reruns")
        # Their pages are in memory from now on, and were written to the log whole.
        table.round("among neighbours", calls if bench.short else 5 * calls)
        table.round("anywhere", calls)
        for kept in (*table.times.values(), *table.medians.values()):
            kept.clear()

    for _ in range(bench.rounds):
        for where in ("among neighbours", "anywhere"):
            for table in tables:
                table.round(where, calls)
    for table in tables:
        figures += [
            Figure("growth", f"median of one rerun at {table.rows:,}", Spread.of(table.medians["anywhere"]), "ms"),
            Figure("growth", f"99th percentile at {table.rows:,}",
                   Spread.of([_percentile(table.times["anywhere"], 0.99)]), "ms"),
        ]  # fmt: skip
    for table in tables[1:]:
        for where, name in (("anywhere", ""), ("among neighbours", ", among 10,000 neighbours")):
            figures.append(Figure("growth", f"median at {table.rows:,} against {tables[0].rows:,}{name}",
                                  ratios(table.medians[where], tables[0].medians[where]),
                                  at_most=1.3 if where == "anywhere" else None))  # fmt: skip
    for table in tables:
        table.connection.close()
    return figures
