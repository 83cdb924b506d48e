"""What people would use instead: the reference application's own statements, and a job queue that puts a job back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine

from benchmarks.data import fill, filled_database
from benchmarks.harness import Bench, Figure, Measure, Spread, in_turn, ratios
from benchmarks.pgbench import SCRIPTS, statements, transactions_per_second
from benchmarks.proxy import delayed
from benchmarks.queues import PROCRASTINATE, AbsentError
from benchmarks.rerun import PythonClient
from benchmarks.server import Connection, connect, create_database

__all__ = ["ApplicationClient", "run"]

# By number of clients: so many that the first of each connection, which loads catalogs and plans, counts for little.
TRANSACTIONS = {1: 1_000, 4: 2_000, 16: 4_000}
NO_WAIT = "-c synchronous_commit=off"
WARM_UP = 200
LARGE = 260 * 1_024

REFERENCE, IN_A_TRANSACTION = "rivals/reference", "rivals/reference_in_a_transaction"
_MEASURED = ("rerun_report", REFERENCE, IN_A_TRANSACTION)
_RIVALS = ("the application's statements, each a transaction", "the application's statements in one transaction")


class ApplicationClient:
    """A client in Python as the reference application is one: for each transaction a connection of SQLAlchemy's pool,
    which is asked first whether it is alive; the statements with parameters, not composed; all rows fetched as dicts.
    """

    def __init__(self, engine: Engine, script: str) -> None:
        """script: one of ``benchmarks/sql``; each of its statements is a transaction, but between begin and commit."""
        self._engine = engine
        steps = [step for step in statements(script) if step[0] not in ("begin", "commit")]
        is_one = len(steps) < len(statements(script))
        self._transactions = [steps] if is_one else [[step] for step in steps]

    @classmethod
    def of(cls, database: URL, script: str) -> ApplicationClient:
        """With an engine of its own, made as the application makes it."""
        return cls(create_engine(database.set(drivername="postgresql+psycopg"), pool_pre_ping=True), script)

    def rerun(self, report_id: int) -> None:
        """Run all statements for a report."""
        values: dict[str, object] = {"id": report_id, "report": report_id}
        for steps in self._transactions:
            with self._engine.connect() as connection:
                for statement, gives_values in steps:
                    result = connection.exec_driver_sql(statement, values)
                    rows = [dict(row) for row in result.mappings()] if result.returns_rows else []
                    if gives_values:
                        values.update(rows[0])
                connection.commit()

    def rate(self, first: int, count: int) -> float:
        """Reports per second over some reports, from ``first``."""
        began = time.perf_counter()
        for report_id in range(first, first + count):
            self.rerun(report_id)
        return count / (time.perf_counter() - began)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


def _each_alike(bench: Bench, clients: int, transactions: int) -> int:
    """How many transactions, as many of each client; of the short form a few only."""
    return clients * max(1, (20 if bench.short else transactions) // clients)


class _Reports:
    """The reports of a database, each of which is rerun once."""

    def __init__(self, first: int = 1) -> None:
        self._next = first

    def take(self, count: int) -> int:
        """The first of so many that were not taken yet."""
        self._next += count
        return self._next - count


def _processor_ms(connection: Connection, script: str, first: int, count: int) -> float:
    """Milliseconds of a processor that the server takes for each of so many reports, of which none waits for the disk.

    What else the machine does makes little difference to it, and what the client costs makes none.
    """
    client = PythonClient(connection, script)
    before = _processor_ns(connection)
    for number in range(first, first + count):
        client.run({"id": number, "report": number})
    return (_processor_ns(connection) - before) / count / 1e6


def _processor_ns(connection: Connection) -> int:
    """What Linux has counted of the server's process for this connection."""
    return int(Path(f"/proc/{connection.info.backend_pid}/schedstat").read_text(encoding="ascii").split()[0])


def _processor_times(bench: Bench, compared: Sequence[tuple[URL, str, _Reports]], count: int) -> list[list[float]]:
    """The processor time of each script, in turn."""
    connections = [_not_waiting(database) for database, _, _ in compared]

    def measure(number: int) -> float:
        _, script, taken = compared[number]
        return _processor_ms(connections[number], script, taken.take(count), count)

    measures: list[Measure] = [partial(measure, number) for number in range(len(compared))]
    for once in measures:
        once()
    measured = in_turn(bench.rounds, *measures)
    for connection in connections:
        connection.close()
    return measured


def _not_waiting(database: URL) -> Connection:
    connection = connect(database)
    connection.execute("set synchronous_commit = off")
    return connection


# --- the reference application's own way ------------------------------------------------------


def _compared(where: str, measured: list[list[float]]) -> list[Figure]:
    ours, *others = measured
    return [
        Figure("rivals", f"against {name}, {where}", ratios(ours, values))
        for name, values in zip(_RIVALS, others, strict=True)
    ]


def _by_pgbench(bench: Bench) -> list[Figure]:
    """The same statements by the fastest client, which prepares them."""
    reports = 1_000 if bench.short else 7 * bench.rounds * sum(TRANSACTIONS.values())
    bench.progress(f"{reports:,} reports")
    database = filled_database(bench.server, "bench_rivals", reports, 100)
    taken = _Reports()

    def measure(script: str, clients: int, transactions: int, options: str = "") -> float:
        count = _each_alike(bench, clients, transactions)
        return transactions_per_second(
            bench.server,
            database,
            script,
            clients=clients,
            transactions=count,
            variables={"first": taken.take(count) - 1, "reports": reports},
            options=options,
        )

    for script in _MEASURED:
        measure(script, 2, WARM_UP)
    figures = []
    for clients, transactions in TRANSACTIONS.items():
        for title, options in (("", ""), (", not waiting for the disk", NO_WAIT)):
            bench.progress(f"the application's statements, {clients} clients{title}")
            measures = [partial(measure, script, clients, transactions, options) for script in _MEASURED]
            where = f"{clients} client{'s' if clients > 1 else ''}{title}"
            figures += _compared(where, in_turn(bench.rounds, *measures))
    return figures


def _by_processor_time(bench: Bench) -> list[Figure]:
    """What the statements cost the server, whoever sends them."""
    count = 20 if bench.short else 500
    reports = 3 * (bench.rounds + 1) * count
    bench.progress(f"{reports:,} reports, by processor time")
    database = filled_database(bench.server, "bench_rivals_processor", reports, 100)
    taken = _Reports()
    ours, *others = _processor_times(bench, [(database, script, taken) for script in _MEASURED], count)
    return [
        Figure("rivals", f"{name}: processor time of PostgreSQL against that of a rerun", ratios(values, ours),
               note=f"{Spread.of(values).median:.2f} and {Spread.of(ours).median:.2f} ms")
        for name, values in zip(_RIVALS, others, strict=True)
    ]  # fmt: skip


def _in_turn_from_python(rounds: int, database: URL, take: Callable[[int], int], count: int) -> list[list[float]]:
    clients = [ApplicationClient.of(database, script) for script in _MEASURED]
    try:
        for client in clients:
            client.rate(take(10), 10)
        return in_turn(rounds, *[lambda client=client: client.rate(take(count), count) for client in clients])
    finally:
        for client in clients:
            client.close()


def _from_python(bench: Bench) -> list[Figure]:
    """As the application sends them, with small outputs and large ones, and over a network."""
    figures = []
    count = 5 if bench.short else 300
    reports = 3 * (bench.rounds * count + 10)
    bench.progress(f"{reports:,} reports for clients in Python")
    near = filled_database(bench.server, "bench_rivals_python", 2 * reports, 100)
    taken = _Reports()
    figures += _compared("from Python, 1 client", _in_turn_from_python(bench.rounds, near, taken.take, count))
    with delayed(f"{bench.server.socket_folder}/.s.PGSQL.5432", 1) as proxy:
        far = near.set(host="127.0.0.1", port=proxy.port, query={})
        figures += _compared(
            "from Python, 1 client, 1 ms delay each way",
            _in_turn_from_python(bench.rounds, far, taken.take, max(2, count // 10)),
        )
    count = 2 if bench.short else 10
    reports = 3 * (bench.rounds * count + 10)
    bench.progress(f"{reports:,} reports with outputs of 260 KB")
    large = filled_database(bench.server, "bench_rivals_large", reports, LARGE, is_real=True)
    figures += _compared(
        "from Python, 1 client, outputs of 260 KB",
        _in_turn_from_python(bench.rounds, large, _Reports().take, count),
    )
    return figures


# --- a job queue's retry ----------------------------------------------------------------------


def _retries(bench: Bench) -> list[Figure]:
    """What failed is put back to be done: a household report with one simulation, and a job of procrastinate."""
    each = 20 if bench.short else 500
    jobs = 1_000 if bench.short else 2 * bench.rounds * sum(TRANSACTIONS.values()) + WARM_UP
    # Those behind, for processor time.
    behind = (bench.rounds + 1) * each
    bench.progress(f"{jobs:,} failed reports, and as many failed jobs")
    try:
        theirs = PROCRASTINATE.database(
            bench.server,
            "bench_rivals_procrastinate",
            ("claims/request", "rivals/procrastinate_fill"),
            0,
            jobs + behind,
        )
    except AbsentError as error:
        bench.progress(f"without procrastinate: {error}")
        return []
    ours = create_database(bench.server, "bench_rivals_failed")
    fill(ours, (SCRIPTS / "rivals" / "failed_fill.sql").read_text(encoding="utf-8"), {"reports": jobs + behind})
    taken = {ours: _Reports(), theirs: _Reports()}

    def measure(database: URL, script: str, clients: int, transactions: int, options: str = "") -> float:
        count = _each_alike(bench, clients, transactions)
        return transactions_per_second(
            bench.server,
            database,
            script,
            clients=clients,
            transactions=count,
            variables={"first": taken[database].take(count) - 1, "reports": jobs},
            options=options,
        )

    compared = ((ours, "rerun_report"), (theirs, "rivals/procrastinate_retry"))
    for database, script in compared:
        measure(database, script, 2, WARM_UP)
    figures = []
    for clients, transactions in TRANSACTIONS.items():
        for title, options in (("", ""), (", not waiting for the disk", NO_WAIT)):
            bench.progress(f"a retry of procrastinate, {clients} clients{title}")
            reruns, retried = in_turn(
                bench.rounds,
                *[partial(measure, database, script, clients, transactions, options) for database, script in compared],
            )
            where = f"{clients} client{'s' if clients > 1 else ''}{title}"
            figures.append(
                Figure(
                    "rivals",
                    f"a failed report rerun against a failed job of procrastinate retried, {where}",
                    ratios(reruns, retried),
                )
            )
    bench.progress("a retry of procrastinate, by processor time")
    reruns, retried = _processor_times(bench, [(*one, _Reports(jobs + 1)) for one in compared], each)
    figures.append(
        Figure("rivals", "a failed job of procrastinate retried: processor time of PostgreSQL against that of a rerun",
               ratios(retried, reruns),
               note=f"{Spread.of(retried).median:.2f} and {Spread.of(reruns).median:.2f} ms")
    )  # fmt: skip
    with connect(theirs) as connection:
        left = connection.execute("select count(*) from procrastinate_jobs where status = 'failed'").fetchone()
    assert left is not None
    assert int(str(left[0])) == jobs - (taken[theirs].take(0) - 1), "not each job was retried once"
    return figures


def run(bench: Bench) -> list[Figure]:
    """All of it."""
    return [*_by_pgbench(bench), *_by_processor_time(bench), *_from_python(bench), *_retries(bench)]
