"""``make stress``: everything at once for a while, faults included; exits with 1 at the first violation."""

from __future__ import annotations

import random
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import click
import psycopg
from rich.console import Console
from rich.table import Table
from sqlalchemy import URL

from benchmarks.proxy import delayed
from benchmarks.server import connect, create_database, running_server
from benchmarks.stress.actions import CARBON_ACTIONS, SQL_ACTIONS, work_off
from benchmarks.stress.crew import Crew, World
from benchmarks.stress.faults import FAULTS, Api, Broken, break_it, stop_at_once, wait_for
from benchmarks.stress.invariants import QUERIES_OF_THE_END, Violation, check, watch_runs
from pyapi.embedded import API_LOGIN, Embedded

_SHARES = {"read committed": 0.35, "repeatable read": 0.1, "serializable": 0.1}
_PAGE = 500


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _prepare(server: Embedded) -> tuple[URL, bool]:
    """The database of the stress test; whether it has the carbon domain."""
    database = create_database(server, "pgreprise")
    server.create_api_login()
    with connect(database) as connection:
        connection.execute((Path(__file__).parent / "world.sql").read_text(encoding="utf-8").encode())
        has_carbon = connection.execute("select to_regclass('public.carbon_reports')").fetchone() != (None,)
        if has_carbon:
            connection.execute(
                "insert into public.units (institutional_id, name) values ('1', 'one'), ('2', 'two'), ('3', 'three')"
            )
    return database, has_carbon


def _check_feed(world: World) -> None:
    """A reader that keeps its last position has seen every act once."""
    with connect(world.database) as connection:
        seen: list[object] = []
        after: object = 0
        while rows := connection.execute(
            "select feed_position, rerun_id from public.rerun_feed(%s::bigint, %s)", (after, _PAGE)
        ).fetchall():
            seen += [rerun_id for _, rerun_id in rows]
            after = rows[-1][0]
        acts = [row[0] for row in connection.execute("select rerun_id from pgreprise.rerun").fetchall()]
    if sorted(map(str, seen)) != sorted(map(str, acts)):
        raise Violation(f"the feed gave {len(seen)} acts, {len(set(seen))} of them different, of {len(acts)}")
    world.checks["the feed gives every act once"] += 1


def _drain(world: World) -> None:
    """What waits is worked off when everybody else has gone: nothing pending was lost, nothing hangs."""
    chance = random.Random(world.seed)
    with connect(world.database) as connection:
        connection.execute(
            "update pgreprise.claim set lease_until = clock_timestamp() - interval '1 s' where ended_at is null"
        )
        for _ in range(1_000):
            connection.execute("update pgreprise.retry set retry_at = now() - interval '1 s'")
            connection.execute("select * from public.release_stuck_runs('0', 10000)")
            if not work_off(connection, chance):
                break
        for name, query in QUERIES_OF_THE_END.items():
            rows = connection.execute(query.encode()).fetchmany(5)
            if rows:
                raise Violation(f"{name}: {rows}")
            world.checks[name] += 1


def _print(console: Console, title: str, counts: Mapping[str, int]) -> None:
    table = Table(title, "count")
    table.columns[1].justify = "right"
    for name, count in sorted(counts.items()):
        table.add_row(name, f"{count:,}")
    console.print(table)


def _stress(console: Console, world: World, broken: Broken, seconds: float, connections: int) -> None:
    for isolation, share in _SHARES.items():
        console.print(f"{connections} connections at {isolation}, {seconds * share:.0f} s")
        with Crew(world, connections, isolation=isolation) as crew:
            crew.work(seconds * share)
        crew.raise_broken()
    wait_for("the API answers", lambda: broken.api.ask()[0] == 200)
    # Under a fault the crew is smaller, so that the time goes to the fault.
    with Crew(world, max(4, connections // 2)) as crew:
        broken.crew = crew
        end = time.monotonic() + seconds * (1 - sum(_SHARES.values()))
        first_time = True
        while first_time or time.monotonic() < end:
            for name in FAULTS:
                if not first_time and time.monotonic() > end:
                    break
                began = time.monotonic()
                break_it(broken, name)
                crew.work(0.5)
                console.print(f"fault: {name}, {time.monotonic() - began:.1f} s")
            first_time = False
    crew.raise_broken()
    with connect(world.database) as connection:
        check(connection, world.checks)
    _drain(world)
    with connect(world.database) as connection:
        check(connection, world.checks)
        watch_runs(connection, world.runs, world.checks)
    _check_feed(world)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seconds", type=click.FloatRange(1), default=120, show_default=True,
              help="How long, about; each fault is done at least once.")  # fmt: skip
@click.option("--connections", type=click.IntRange(6, 80), default=32, show_default=True)
@click.option("--seed", type=int, help="Repeats the choices of an earlier run, not its timing.")
@click.option("--short", is_flag=True, help="The form for CI: some seconds, 12 connections.")
def main(seconds: float, connections: int, seed: int | None, short: bool) -> None:
    """Do everything there is at once, break things meanwhile, and check that nothing is lost."""
    console = Console(width=120)
    seed = random.randrange(10**6) if seed is None else seed
    if short:
        seconds, connections = 10, 12
    console.print(f"Seed {seed}")
    with tempfile.TemporaryDirectory(prefix="pgreprise-stress-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        with running_server(folder, shared_buffers="128MB", log_min_messages="warning") as server:
            database, has_carbon = _prepare(server)
            with delayed(f"{server.socket_folder}/.s.PGSQL.5432", 0) as proxy:
                api = Api(database.set(username=API_LOGIN, host="127.0.0.1", port=proxy.port, query={}), _free_port())
                world = World(database, api.port, {**SQL_ACTIONS, **(CARBON_ACTIONS if has_carbon else {})}, seed)
                broken = Broken(world, Crew(world, 1), server, api, proxy, folder, random.Random(seed))
                violation: BaseException | None = None
                try:
                    wait_for("the API answers", lambda: api.ask()[0] == 200)
                    _stress(console, world, broken, seconds, connections)
                except (Violation, psycopg.Error, TimeoutError) as error:
                    violation = error
                finally:
                    api.stop()
                    if violation is not None:
                        # It may be in a state in which it does not end by itself.
                        stop_at_once(broken)
        _print(console, "done", Counter({**world.counts}))
        _print(console, "invariant", world.checks)
    if violation is not None:
        console.print(f"VIOLATION: {violation}", style="bold red", markup=False)
        raise SystemExit(1)
    console.print("Nothing was violated.")


if __name__ == "__main__":
    main()
