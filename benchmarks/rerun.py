"""One rerun against the limit: rerun_report, one bare statement with the same writes, and a client that does it step
by step."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import URL

from benchmarks.data import filled_database
from benchmarks.harness import Bench, Figure, Spread, in_turn, ratios
from benchmarks.pgbench import statements, transactions_per_second
from benchmarks.proxy import delayed
from benchmarks.server import Connection, connect

__all__ = ["PythonClient", "run"]

# By number of clients: so many that the first of each connection, which loads catalogs and plans, counts for little.
TRANSACTIONS = {1: 1_000, 4: 4_000, 16: 8_000}
# By number of clients: the aims against the bare statement, and against one statement a step.
AIMS = {1: (0.65, 2.5), 4: (0.6, 1.5), 16: (0.55, 1.5)}
NO_WAIT = "-c synchronous_commit=off"


class PythonClient:
    """A client in Python, as an application is one: psycopg, prepared statements, one connection."""

    def __init__(self, connection: Connection, script: str) -> None:
        self._connection = connection
        self._steps = statements(script)

    def run(self, values: dict[str, object]) -> bool:
        """Run all steps, with these values for the variables that no step gives.

        Return False where a step that gives values found no row; those after it are not run then.
        """
        values = dict(values)
        for statement, gives_values in self._steps:
            cursor = self._connection.execute(statement.encode(), values, prepare=True)
            if gives_values:
                row = cursor.fetchone()
                if row is None:
                    return False
                assert cursor.description is not None
                values.update(zip((column.name for column in cursor.description), row, strict=True))
        return True

    def rerun(self, report_id: int) -> None:
        """Run all steps for a report."""
        assert self.run({"id": report_id}), f"no report {report_id}"

    def rate(self, first: int, count: int) -> float:
        """Reports per second over some reports, from ``first``."""
        began = time.perf_counter()
        for report_id in range(first, first + count):
            self.rerun(report_id)
        return count / (time.perf_counter() - began)


def _python_clients(bench: Bench, database: URL, take: Callable[[int], int], count: int) -> tuple[Spread, Spread]:
    """Reports per second of rerun_report, and the ratio to the client that does it step by step."""
    with connect(database) as one, connect(database) as other:
        called, stepwise = PythonClient(one, "rerun_report"), PythonClient(other, "stepwise_rerun")
        for client in (called, stepwise):
            client.rate(take(10), 10)
        ours, steps = in_turn(
            bench.rounds, lambda: called.rate(take(count), count), lambda: stepwise.rate(take(count), count)
        )
    return Spread.of(ours), ratios(ours, steps)


def run(bench: Bench) -> list[Figure]:
    """Transactions per second by pgbench, each report once."""
    # Each is rerun once: by three scripts, waiting for the disk and not, and a few over the delayed network.
    reports = 2_000 if bench.short else 7 * bench.rounds * sum(TRANSACTIONS.values())
    bench.progress(f"{reports:,} reports")
    database = filled_database(bench.server, "bench_rerun", reports, 100)
    first = 0

    def measure(script: str, clients: int, transactions: int, *, options: str = "", port: int | None = None) -> float:
        nonlocal first
        count = max(clients, 20 if bench.short else transactions)
        target = database if port is None else database.set(host="127.0.0.1", port=port, query={})
        first += count
        return transactions_per_second(
            bench.server,
            target,
            script,
            clients=clients,
            transactions=count,
            variables={"first": first - count, "reports": reports},
            options=options,
        )

    def warm_up() -> None:
        for script in ("bare_rerun", "rerun_report", "stepwise_rerun"):
            measure(script, 2, 200)

    warm_up()
    figures: list[Figure] = []
    for clients in (1, 4, 16):
        for title, options in (("", ""), (", not waiting for the disk", NO_WAIT)):
            bench.progress(f"{clients} clients{title}")
            count = TRANSACTIONS[clients]
            bare, ours, steps = in_turn(
                bench.rounds,
                lambda: measure("bare_rerun", clients, count, options=options),
                lambda: measure("rerun_report", clients, count, options=options),
                lambda: measure("stepwise_rerun", clients, count, options=options),
            )
            where = f"{clients} client{'s' if clients > 1 else ''}{title}"
            of_bare, of_steps = (None, None) if title else AIMS[clients]
            figures += [
                Figure("rerun", f"rerun_report, {where}", Spread.of(ours), "reports/s"),
                Figure("rerun", f"against the bare statement, {where}", ratios(ours, bare),
                       at_least=of_bare),
                Figure("rerun", f"against one statement a step, {where}", ratios(ours, steps),
                       at_least=of_steps),
            ]  # fmt: skip

    database_python = filled_database(bench.server, "bench_rerun_python", 500 if bench.short else 20_000, 100)
    next_id = 1

    def take(count: int) -> int:
        nonlocal next_id
        next_id += count
        return next_id - count

    bench.progress("a client in Python")
    rate, ratio = _python_clients(bench, database_python, take, 10 if bench.short else 500)
    figures += [
        Figure("rerun", "rerun_report from Python, 1 client", rate, "reports/s"),
        Figure("rerun", "against one statement a step from Python, 1 client", ratio, at_least=2),
    ]

    with delayed(f"{bench.server.socket_folder}/.s.PGSQL.5432", 1) as proxy:
        for clients in (1, 4, 16):
            bench.progress(f"{clients} clients, 1 ms each way")
            ours, steps = in_turn(
                bench.rounds,
                lambda: measure("rerun_report", clients, 150 * min(clients, 4), port=proxy.port),
                lambda: measure("stepwise_rerun", clients, 150 * min(clients, 4), port=proxy.port),
            )
            where = f"{clients} client{'s' if clients > 1 else ''}, 1 ms delay each way"
            figures.append(Figure("rerun", f"against one statement a step, {where}", ratios(ours, steps), at_least=5))
        bench.progress("a client in Python, 1 ms each way")
        far = database_python.set(host="127.0.0.1", port=proxy.port, query={})
        _, ratio = _python_clients(bench, far, take, 5 if bench.short else 100)
        figures.append(
            Figure(
                "rerun", "against one statement a step from Python, 1 client, 1 ms delay each way", ratio, at_least=5
            )
        )
    return figures
