"""Batches: many reports in chunks, against single calls and against the bare statements, and the memory they take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psutil

from benchmarks.data import filled_database
from benchmarks.harness import Bench, Figure, Spread, ratios
from benchmarks.pgbench import SCRIPTS
from benchmarks.server import Connection, connect

__all__ = ["run"]

CHUNKS = (100, 1_000, 5_000)
REPORTS_A_ROUND = 5_000
SINGLE_CALLS = 500


class _Reports:
    """Reports are taken from the front, so that each is rerun once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._next = 1
        self._bare = (SCRIPTS / "bare_batch.sql").read_text(encoding="utf-8")

    def _timed(self, count: int, work: Callable[[int, int], None]) -> float:
        low, self._next = self._next, self._next + count
        began = time.perf_counter()
        work(low, low + count - 1)
        return count / (time.perf_counter() - began)

    def singly(self, count: int) -> float:
        """Reports per second, one call each."""

        def work(low: int, high: int) -> None:
            for report_id in range(low, high + 1):
                self._connection.execute("call public.rerun_report(%s::bigint, 'us')", (report_id,), prepare=True)

        return self._timed(count, work)

    def bare(self, count: int, chunk: int) -> float:
        """Reports per second by the bare statements, a transaction a chunk."""

        def work(low: int, high: int) -> None:
            for first in range(low, high + 1, chunk):
                last = min(first + chunk - 1, high)
                statements = self._bare.replace(":low", str(first)).replace(":high", str(last))
                with self._connection.transaction():
                    self._connection.execute(statements.encode())

        return self._timed(count, work)

    def batch(self, count: int, chunk: int) -> float:
        """Reports per second of run_rerun_batch; the list was made before."""
        ids = list(range(self._next, self._next + count))
        row = self._connection.execute(
            "select public.create_rerun_batch(jsonb_build_object('ids', to_jsonb(%s::bigint[])), null, %s::bigint)",
            (ids, count),
        ).fetchone()
        assert row is not None

        def work(low: int, high: int) -> None:
            called = self._connection.execute("call public.run_rerun_batch(%s::bigint, %s)", (row[0], chunk)).fetchone()
            assert called is not None
            assert called[0]["rerun"] == high - low + 1, called  # type: ignore[index]

        return self._timed(count, work)


def run(bench: Bench) -> list[Figure]:
    """Reports per second, in turn."""
    a_round = 200 if bench.short else REPORTS_A_ROUND
    single = 20 if bench.short else SINGLE_CALLS
    chunks = (50,) if bench.short else CHUNKS
    reports = (bench.rounds + 1) * (single + 2 * len(chunks) * a_round)
    bench.progress(f"{reports:,} reports")
    database = filled_database(bench.server, "bench_batch", reports, 100)
    figures = []
    with connect(database) as connection:
        queue = _Reports(connection)
        singles: list[float] = []
        bare: dict[int, list[float]] = {chunk: [] for chunk in chunks}
        batch: dict[int, list[float]] = {chunk: [] for chunk in chunks}
        queue.singly(single)
        for number in range(bench.rounds):
            bench.progress(f"round {number + 1}")
            singles.append(queue.singly(single))
            for chunk in chunks:
                bare[chunk].append(queue.bare(a_round, chunk))
                batch[chunk].append(queue.batch(a_round, chunk))
    figures.append(Figure("batch", "single calls over one connection", Spread.of(singles), "reports/s"))
    for chunk in chunks:
        is_default = chunk == 1_000
        figures += [
            Figure("batch", f"chunks of {chunk:,}", Spread.of(batch[chunk]), "reports/s"),
            Figure("batch", f"chunks of {chunk:,} against single calls", ratios(batch[chunk], singles),
                   at_least=10 if is_default else None),
            Figure("batch", f"chunks of {chunk:,} against the bare statements", ratios(batch[chunk], bare[chunk]),
                   at_least=0.6 if is_default else None),
        ]  # fmt: skip
    if not bench.short:
        figures += _memory(bench)
    return figures


def _private_mb(process: psutil.Process) -> float:
    # Without shared_buffers, which every backend that has touched them seems to hold.
    memory = process.memory_info()
    return float(memory.rss - memory.shared) / 2**20


def _memory(bench: Bench) -> list[Figure]:
    """Private memory of the backend and of the client over one batch, read ten times a second."""
    bench.progress(f"memory over a batch of {bench.memory_reports:,}")
    database = filled_database(bench.server, "bench_memory", bench.memory_reports, 0)
    with connect(database) as connection:
        row = connection.execute(
            'select public.create_rerun_batch(\'{"country": "us"}\', expected_reports => %s::bigint)',
            (bench.memory_reports,),
        ).fetchone()
        assert row is not None
        backend, client = psutil.Process(connection.info.backend_pid), psutil.Process()
        before = _private_mb(backend), _private_mb(client)
        done = threading.Event()
        server_mb: list[float] = []
        client_mb: list[float] = []

        def watch() -> None:
            while not done.wait(0.1):
                server_mb.append(_private_mb(backend))
                client_mb.append(_private_mb(client))

        watcher = threading.Thread(target=watch)
        watcher.start()
        began = time.perf_counter()
        try:
            connection.execute("call public.run_rerun_batch(%s::bigint)", (row[0],))
        finally:
            done.set()
            watcher.join()
        rate = bench.memory_reports / (time.perf_counter() - began)
    tenth = max(1, len(server_mb) // 10)
    first, last = sum(server_mb[tenth : 2 * tenth]) / tenth, sum(server_mb[-tenth:]) / tenth
    return [
        Figure("batch", f"one batch of {bench.memory_reports:,}", Spread.of([rate]), "reports/s"),
        Figure("batch", "memory of the backend over it", Spread.of(server_mb), "MB", note=f"{before[0]:.0f} before"),
        Figure("batch", "memory in its last tenth against its second", Spread.of([last / first]), at_most=1.2),
        Figure("batch", "memory of the client over it", Spread.of(client_mb), "MB", note=f"{before[1]:.0f} before"),
    ]
