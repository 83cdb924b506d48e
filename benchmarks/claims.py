"""Claims: reports that workers claim and finish, beside the jobs of other queues in PostgreSQL, at a small size and
behind a million that are finished."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from sqlalchemy import URL

from benchmarks.data import filled_database
from benchmarks.harness import Bench, Figure, Spread, in_turn, ratios
from benchmarks.pgbench import statements, transactions_per_second
from benchmarks.queues import OUTPUT, RIVALS, AbsentError, Queue, Rival, pgreprise
from benchmarks.rerun import PythonClient
from benchmarks.server import Connection, connect

__all__ = ["claim_buffers", "run"]

# By number of clients: so many that the first of each connection, which loads catalogs and plans, counts for little.
JOBS = {1: 1_000, 4: 4_000, 16: 4_000}
NO_WAIT = "-c synchronous_commit=off"
WARM_UP = 200
FINISHED, PENDING = 1_000_000, 100_000
RETRIES = 10_000
DONE_UNDER_SNAPSHOT = 6_000
HEARTBEATS = 8_000
MOST_EMPTY = 1_000

# What the statements of the scripts are given by pgbench.
_VALUES: dict[str, object] = {"client_id": 0, "output": OUTPUT}
_EXPLAIN = "explain (analyze, buffers, timing off, format json) "
_UPDATES = "select relid::bigint, n_tup_upd, n_tup_hot_upd from pg_stat_user_tables"


def _clients(number: int) -> str:
    return f"{number} client{'s' if number > 1 else ''}"


class _Counted:
    """A script of a queue, and how often it was run."""

    def __init__(self, bench: Bench, queue: Queue, script: str) -> None:
        self._short = bench.short
        self.queue = queue
        self.script = script
        self.runs = 0

    def rate(self, clients: int, transactions: int, options: str = "") -> float:
        """Runs per second; of the short form there are a few only."""
        each = max(1, (20 if self._short else transactions) // clients)
        self.runs += each * clients
        return self.queue.rate(self.script, clients, each * clients, options)


def _rivals(
    bench: Bench, database: str, finished: int, pending: int, rivals: Sequence[Rival] = RIVALS
) -> Iterator[Queue]:
    for rival in rivals:
        try:
            yield rival.queue(bench.server, f"{database}_{rival.name.replace('-', '_')}", finished, pending)
        except AbsentError as error:
            bench.progress(f"without {rival.name}: {error}")


# --- how many a second ----------------------------------------------------------------------


def _rates(bench: Bench) -> list[Figure]:
    """Claim and finish beside the others, each of the two a transaction."""
    # Each job once, waiting for the disk and not; procrastinate is measured twice.
    jobs = 1_000 if bench.short else 2 * (2 * bench.rounds * sum(JOBS.values()) + WARM_UP)
    bench.progress(f"{jobs:,} jobs in each queue")
    ours = _Counted(bench, (queue := pgreprise(bench.server, "bench_claims", 0, jobs)), queue.script())
    others = {}
    for queue in _rivals(bench, "bench_claims", 0, jobs):
        others[queue.name] = _Counted(bench, queue, queue.script())
        if queue.name == "procrastinate":
            others["procrastinate, the output kept"] = _Counted(bench, queue, queue.script("_stored"))
    all_of_them = [ours, *others.values()]
    for counted in all_of_them:
        counted.rate(2, WARM_UP)

    figures = []
    for clients in JOBS:
        for title, options in (("", ""), (", not waiting for the disk", NO_WAIT)):
            bench.progress(f"{clients} clients{title}")
            measured = in_turn(
                bench.rounds, *[partial(one.rate, clients, JOBS[clients], options) for one in all_of_them]
            )
            where = f"{_clients(clients)}{title}"
            figures.append(Figure("claims", f"claim and finish, {where}", Spread.of(measured[0]), "reports/s"))
            for name, values in zip(others, measured[1:], strict=True):
                figures.append(
                    Figure("claims", f"against {name}, {where}", ratios(measured[0], values),
                           at_least=1 if name.startswith("procrastinate") and not title else None,
                           note=f"{Spread.of(values).median:,.0f} jobs/s")
                )  # fmt: skip
    done: dict[Queue, int] = {}
    for counted in all_of_them:
        done[counted.queue] = done.get(counted.queue, 0) + counted.runs
    for queue, runs in done.items():
        assert queue.finished() == runs, f"{queue.name}: {queue.finished()} jobs are finished, not {runs}"
    return figures


def _with_simulations(bench: Bench) -> list[Figure]:
    """Reports that a worker computes with both their simulations, and reports that share a finished baseline."""
    jobs = 200 if bench.short else bench.rounds * sum(JOBS.values()) // 2 + WARM_UP
    bench.progress(f"{jobs:,} reports with simulations to compute")
    figures = []
    for script, name, database, shared, simulations in (
        ("claims/simulations", "claim, finish two simulations and the report", "bench_claims_both", 0, "pending"),
        ("claims/pgreprise", "claim and finish, all of one baseline", "bench_claims_shared", jobs, "complete"),
    ):
        queue = pgreprise(bench.server, database, 0, jobs, shared=shared, simulations=simulations)
        counted = _Counted(bench, queue, script)
        counted.rate(2, WARM_UP)
        for clients in JOBS:
            bench.progress(f"{name}, {_clients(clients)}")
            (rates,) = in_turn(bench.rounds, lambda: counted.rate(clients, JOBS[clients] // 2))
            figures.append(Figure("claims", f"{name}, {_clients(clients)}", Spread.of(rates), "reports/s"))
        assert queue.finished() == counted.runs, f"{queue.finished()} reports are finished, not {counted.runs}"
    return figures


# --- what a claim reads ---------------------------------------------------------------------


def claim_buffers(connection: Connection, script: str, claims: int) -> tuple[list[float], int]:
    """Let this many claims be made, which stay open, and return what each read.

    Returns the shared buffers of each claim that found a job, those of its nested statements included, wherever they
    were read from; and how many claims before them found nothing. The plans are made before, by as many claims.
    """
    claim, _ = statements(script)[0]
    found: list[float] = []
    empty = 0
    while len(found) < 2 * claims:
        row = connection.execute((_EXPLAIN + claim).encode(), _VALUES, prepare=True).fetchone()
        assert row is not None
        plan = row[0][0]["Plan"]  # type: ignore[index]
        if plan["Actual Rows"] < 1:
            empty += 1
            assert empty < MOST_EMPTY, f"{empty} claims found nothing"
        else:
            found.append(float(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]))
    return found[claims:], empty


@contextmanager
def _old_snapshot(queue: Queue) -> Iterator[None]:
    """A transaction that still sees what there was, and so keeps all versions of all rows."""
    with connect(queue.database, autocommit=False) as connection:
        connection.execute("set transaction isolation level repeatable read")
        connection.execute("select count(*) from pg_class")
        yield


def _retry(queue: Queue, retries: int) -> None:
    """Jobs that were at the head, and now wait for an hour."""
    with connect(queue.database) as connection:
        connection.execute("set synchronous_commit = off")
        client = PythonClient(connection, queue.script("_retry"))
        done = 0
        for _ in range(2 * retries):
            done += client.run(_VALUES)
            if done == retries:
                break
        assert done == retries, f"{queue.name}: only {done} of {retries} could be claimed"


def _reads(bench: Bench) -> list[Figure]:
    """The buffers of a claim, behind many that are finished, many that wait for a retry, and many dead versions."""
    finished, pending = (500, 400) if bench.short else (FINISHED, PENDING)
    retries, done = (50, 50) if bench.short else (RETRIES, DONE_UNDER_SNAPSHOT)
    claims = 5 if bench.short else 20
    bench.progress(f"{finished:,} finished and {pending:,} pending")
    figures = []

    def add(name: str, queue: Queue, worker: Connection) -> None:
        buffers, empty = claim_buffers(worker, queue.script(), claims)
        figures.append(
            Figure("claims", f"{queue.name}: buffers of a claim, {name}", Spread.of(buffers), "pages",
                   note=f"the first {empty} found nothing" if empty else "")
        )  # fmt: skip

    queues: list[Queue] = [
        pgreprise(bench.server, "bench_claims_large", finished, pending),
        *_rivals(bench, "bench_claims_large", finished, pending),
    ]
    for queue in queues:
        bench.progress(f"{queue.name}: buffers of a claim")
        with connect(queue.database) as worker:
            add(f"{finished:,} finished and {pending:,} pending", queue, worker)
            with _old_snapshot(queue):
                queue.rate(queue.script(), 1, done, NO_WAIT)
                add(f"{done:,} finished under an old snapshot", queue, worker)
            _retry(queue, retries)
            # The plans of this session are from before.
            add(f"{retries:,} at the head that just began to wait for a retry", queue, worker)
            worker.execute("vacuum analyze")
            add(f"behind {retries:,} that wait for a retry", queue, worker)

    queue = pgreprise(bench.server, "bench_claims_waiting", 0, 2 * retries, shared=retries, simulations="pending")
    with connect(queue.database) as worker:
        add(f"behind {retries:,} whose baseline another worker computes", queue, worker)
    return figures


# --- heartbeats -----------------------------------------------------------------------------


def _updates(queue: Queue) -> dict[int, tuple[int, int]]:
    """The updates of each table until now, and how many of them were HOT."""
    with connect(queue.database) as connection:
        found = connection.execute(_UPDATES).fetchall()
    return {int(str(table)): (int(str(all_of_them)), int(str(hot))) for table, all_of_them, hot in found}


def _hot_percent(before: dict[int, tuple[int, int]], after: dict[int, tuple[int, int]]) -> float:
    """The share of HOT updates in the table that was updated most in between: that of the heartbeats."""
    changes = [(after[table][0] - updates, after[table][1] - hot) for table, (updates, hot) in before.items()]
    updates, hot = max(changes)
    return 100 * hot / updates


def _heartbeats(bench: Bench) -> list[Figure]:
    """Heartbeats a second with four clients, and whether they need no entry in an index (HOT)."""
    # A job for each client of each run. What a worker of graphile-worker gets belongs to it for four hours.
    jobs = 8 * bench.rounds
    alive = [rival for rival in RIVALS if rival.name != "graphile-worker"]
    queues: list[Queue] = [
        pgreprise(bench.server, "bench_claims_heartbeats", 0, jobs),
        *_rivals(bench, "bench_claims_heartbeats", 0, jobs, alive),
    ]
    counted = [_Counted(bench, queue, queue.script("_heartbeat")) for queue in queues]
    figures = []
    hot: list[float] = []
    for title, options in (("", ""), (", not waiting for the disk", NO_WAIT)):
        bench.progress(f"heartbeats{title}")
        before = [_updates(queue) for queue in queues]
        measured = in_turn(bench.rounds, *[partial(one.rate, 4, HEARTBEATS, options) for one in counted])
        if not title:
            hot = [_hot_percent(then, _updates(queue)) for queue, then in zip(queues, before, strict=True)]
        figures.append(Figure("claims", f"heartbeats, 4 clients{title}", Spread.of(measured[0]), "heartbeats/s"))
        for queue, values in zip(queues[1:], measured[1:], strict=True):
            figures.append(
                Figure("claims", f"heartbeats against {queue.name}, 4 clients{title}", ratios(measured[0], values),
                       note=f"{Spread.of(values).median:,.0f} heartbeats/s")
            )  # fmt: skip
    for queue, share in zip(queues, hot, strict=True):
        figures.append(Figure("claims", f"{queue.name}: heartbeats that are HOT", Spread.of([share]), "%"))
    return figures


# --- notifications --------------------------------------------------------------------------


@contextmanager
def _listening(database: URL) -> Iterator[None]:
    """A worker that listens for pending reports, and does nothing else."""
    ended = threading.Event()

    def listen() -> None:
        with connect(database) as connection:
            connection.execute("listen pgreprise_pending")
            while not ended.is_set():
                for _ in connection.notifies(timeout=0.2):
                    pass

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _notify(bench: Bench) -> list[Figure]:
    """Reruns a second, each of which makes a report pending, with and without a notification for the workers."""
    reports = 400 if bench.short else 2 * bench.rounds * sum(JOBS.values()) + WARM_UP
    bench.progress(f"{reports:,} reports to rerun, with notifications and without")
    database = filled_database(bench.server, "bench_claims_notify", reports, 100)
    first = 0

    def measure(setting: str, clients: int, transactions: int) -> float:
        nonlocal first
        count = max(clients, 20 if bench.short else transactions)
        first += count
        with connect(database) as connection:
            connection.execute("select public.set_setting('notify_workers', %s)", (setting,))
        return transactions_per_second(
            bench.server,
            database,
            "rerun_report",
            clients=clients,
            transactions=count,
            variables={"first": first - count, "reports": reports},
        )

    figures = []
    with _listening(database):
        measure("on", 2, WARM_UP)
        for clients in JOBS:
            bench.progress(f"notifications, {_clients(clients)}")
            on, off = in_turn(
                bench.rounds,
                lambda: measure("on", clients, JOBS[clients]),
                lambda: measure("off", clients, JOBS[clients]),
            )
            figures.append(
                Figure("claims", f"reruns that notify the workers against those that do not, {_clients(clients)}",
                       ratios(on, off), note=f"{Spread.of(off).median:,.0f} reports/s")
            )  # fmt: skip
    return figures


def run(bench: Bench) -> list[Figure]:
    """All of it."""
    return [*_rates(bench), *_with_simulations(bench), *_reads(bench), *_heartbeats(bench), *_notify(bench)]
