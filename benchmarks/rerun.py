"""One rerun against the limit: rerun_report, one bare statement with the same writes, and a client that does it step
by step."""

from __future__ import annotations

from benchmarks.data import filled_database
from benchmarks.harness import Bench, Figure, Spread, in_turn, ratios
from benchmarks.pgbench import transactions_per_second
from benchmarks.proxy import delayed

__all__ = ["run"]

REPORTS = 250_000
NO_WAIT = "-c synchronous_commit=off"


def run(bench: Bench) -> list[Figure]:
    """Transactions per second by pgbench, each report once."""
    reports = 2_000 if bench.short else REPORTS
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

    # The first of each connection loads catalogs and plans; so the clients of a round do a few dozen each.
    def warm_up() -> None:
        for script in ("bare_rerun", "rerun_report", "stepwise_rerun"):
            measure(script, 2, 200)

    warm_up()
    figures: list[Figure] = []
    for clients in (1, 4, 16):
        for title, options in (("", ""), (", not waiting for the disk", NO_WAIT)):
            bench.progress(f"{clients} clients{title}")
            count = 800 if clients == 1 else 2_000
            bare, ours, steps = in_turn(
                bench.rounds,
                lambda: measure("bare_rerun", clients, count, options=options),
                lambda: measure("rerun_report", clients, count, options=options),
                lambda: measure("stepwise_rerun", clients, count, options=options),
            )
            where = f"{clients} client{'s' if clients > 1 else ''}{title}"
            is_aim = not title
            figures += [
                Figure("rerun", f"rerun_report, {where}", Spread.of(ours), "reports/s"),
                Figure("rerun", f"against the bare statement, {where}", ratios(ours, bare),
                       at_least=0.7 if is_aim else None),
                Figure("rerun", f"against one statement a step, {where}", ratios(ours, steps),
                       at_least=2 if is_aim else None),
            ]  # fmt: skip

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
    return figures
