"""Output size: one rerun with small and large outputs, archived or not."""

from __future__ import annotations

import itertools
import statistics
import time

from benchmarks.data import filled_database
from benchmarks.harness import Bench, Figure, Spread, ratios
from benchmarks.server import connect

__all__ = ["run"]

SIZES = {"1 KB": (1_024, 2_000), "260 KB": (260 * 1_024, 150), "5 MB": (5 * 2**20, 16)}
CALLS_A_ROUND = {"1 KB": 100, "260 KB": 8, "5 MB": 1}


def run(bench: Bench) -> list[Figure]:
    """Latency of one rerun of an economy report: four outputs of the size, two simulations', the report's and the
    cache row's; archive on and off in turn."""
    figures = []
    for name, (size, reports) in SIZES.items():
        if bench.short and size > 2**20:
            continue
        reports = min(reports, 40) if bench.short else reports
        bench.progress(f"{reports:,} reports with outputs of {name}")
        database = filled_database(bench.server, f"bench_size_{size}", reports, size)
        ids = itertools.count(1)
        calls = min(CALLS_A_ROUND[name], reports // (2 * bench.rounds + 2))
        with connect(database) as connection:

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
            Figure("size", f"{name}, archived", Spread.of(on), "ms"),
            Figure("size", f"{name}, not archived", Spread.of(off), "ms"),
            Figure("size", f"{name}, archived against not", ratios(on, off)),
        ]
    return figures
