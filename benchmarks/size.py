"""Output size: one rerun with small and large outputs, archived or not, with the shape of real ones or of bytes that
cannot be compressed."""

from __future__ import annotations

import itertools
import statistics
import time
from typing import NamedTuple

from benchmarks.data import filled_database
from benchmarks.harness import Bench, Figure, Spread, ratios
from benchmarks.server import Connection, connect

__all__ = ["run"]


class _Case(NamedTuple):
    name: str
    size: int
    reports: int
    calls_a_round: int
    is_real: bool = True


CASES = (
    _Case("1 KB", 1_024, 2_000, 100),
    _Case("260 KB", 260 * 1_024, 500, 30),
    _Case("5 MB", 5 * 2**20, 100, 6),
    _Case("260 KB that cannot be compressed", 260 * 1_024, 150, 8, is_real=False),
    _Case("5 MB that cannot be compressed", 5 * 2**20, 16, 1, is_real=False),
)


def _stored_share(connection: Connection) -> float:
    """How much of the bytes of an output its table holds, in percent."""
    found = connection.execute(
        "select 100.0 * sum(pg_column_size(output)) / sum(octet_length(output::text)) from public.report_outputs"
        " where id between 1 and 4"
    ).fetchone()
    assert found is not None
    return float(str(found[0]))


def run(bench: Bench) -> list[Figure]:
    """Latency of one rerun of an economy report: four outputs of the size, two simulations', the report's and the
    cache row's; archive on and off in turn."""
    figures = []
    for case in CASES:
        if bench.short and case.size > 2**20:
            continue
        reports = min(case.reports, 40) if bench.short else case.reports
        bench.progress(f"{reports:,} reports with outputs of {case.name}")
        database = filled_database(
            bench.server, f"bench_size_{case.size}_{case.is_real}", reports, case.size, is_real=case.is_real
        )
        ids = itertools.count(1)
        calls = min(case.calls_a_round, reports // (2 * bench.rounds + 2))
        with connect(database) as connection:
            share = _stored_share(connection)

            def measure(setting: str) -> float:
                connection.execute("select public.set_setting('archive_outputs', %s)", (setting,))
                times = []
                for _ in range(calls):
                    began = time.perf_counter()
                    connection.execute("call public.rerun_report(%s::bigint, 'us')", (next(ids),), prepare=True)
                    times.append((time.perf_counter() - began) * 1000)
                return statistics.median(times)

            measure("on")
            on, off = [], []
            for _ in range(bench.rounds):
                on.append(measure("on"))
                off.append(measure("off"))
        figures += [
            Figure("size", f"{case.name}, archived", Spread.of(on), "ms", note=f"stored as {share:.0f} % of its bytes"),
            Figure("size", f"{case.name}, not archived", Spread.of(off), "ms"),
            Figure("size", f"{case.name}, archived against not", ratios(on, off)),
        ]
    return figures
