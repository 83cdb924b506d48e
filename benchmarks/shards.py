"""Several servers behind a router: what a rerun costs on each part, and what the router adds."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from sqlalchemy import URL

from benchmarks.harness import Bench, Figure, Spread, in_turn, ratios
from benchmarks.pgbench import SCRIPTS, PgbenchError
from benchmarks.server import SETTINGS, connect
from pyapi.database import connect_engine
from pyapi.schema import migrate
from pyapi.schema.files import sql_text
from pyapi.shards.router import LOGIN, router_of

__all__ = ["run"]

# Debian's: there is no PL/Proxy for the embedded server.
_PROGRAMS = Path("/usr/lib/postgresql/15/bin")
_PLPROXY = Path("/usr/share/postgresql/15/extension/plproxy.control")
_NAMES = ("a", "b", "c")
# Reports of each logical shard.
_REPORTS = 400
_TRANSACTIONS = {1: 600, 4: 2_000}
_TICKS = os.sysconf("SC_CLK_TCK")


def _as_postgres(*command: str | Path, text: str | None = None) -> str:
    """Run a program as the account postgres, where this one is root; PostgreSQL refuses that."""
    account = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*account, *map(str, command)], check=False, text=True, input=text, capture_output=True, cwd="/"
    )
    if done.returncode != 0:
        raise PgbenchError(f"{Path(command[0]).name}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


@dataclass(frozen=True)
class _Server:
    """A running server: the folder with its data and its socket, and its first process."""

    folder: Path
    port: int

    def url(self, database: str) -> URL:
        return URL.create("postgresql+psycopg", "postgres", database=database,
                          query={"host": str(self.folder), "port": str(self.port)})  # fmt: skip

    @property
    def processor_seconds(self) -> float:
        """What all its processes have used since it began: those that have ended, too, count as the first one's."""
        first = psutil.Process(int((self.folder / "data" / "postmaster.pid").read_text().split()[0]))
        while first.is_running():
            # Again where a process ends while they are looked at.
            with suppress(psutil.NoSuchProcess):
                return _used_by(first)
        raise psutil.NoSuchProcess(first.pid)


def _used_by(first: psutil.Process) -> float:
    used = 0.0
    for process in (first, *first.children(recursive=True)):
        times = psutil.Process(process.pid).cpu_times()
        used += times.user + times.system
        if process == first:
            used += times.children_user + times.children_system
    return used


@contextmanager
def _server(folder: Path, port: int) -> Iterator[_Server]:
    folder.mkdir()
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    data = folder / "data"
    _as_postgres(_PROGRAMS / "initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", f"--pgdata={data}")
    settings = {**SETTINGS, "shared_buffers": "256MB", "max_wal_size": "2GB", "listen_addresses": "",
                "unix_socket_directories": str(folder), "port": str(port)}  # fmt: skip
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    control = (_PROGRAMS / "pg_ctl", "--silent", "--wait", f"--pgdata={data}")
    _as_postgres(*control, f"--log={folder / 'log'}", f"--options={options}", "start")
    try:
        yield _Server(folder, port)
    finally:
        _as_postgres(*control, "--mode=immediate", "stop")


def _plain(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _new_shard(server: _Server, database: str, held: list[int], reports: int) -> None:
    """A database that holds these logical shards, with so many reports of each."""
    with connect(server.url("postgres")) as connection:
        connection.execute(f"create database {database}".encode())
        connection.execute(
            f"do $$ begin create role {LOGIN} login; exception when duplicate_object then null; end $$".encode()
        )
    engine = connect_engine(server.url(database), call_timeout_seconds=0)
    try:
        migrate.upgrade(engine)
    finally:
        engine.dispose()
    with connect(server.url(database)) as connection:
        connection.execute(f"grant pgreprise_router to {LOGIN}".encode())
        connection.execute("select pgreprise.prepare_shard(%s::integer[], 64)", (held,))
        connection.execute(sql_text("reports/install_shard_functions").encode())
        connection.execute((SCRIPTS / "fill_shard.sql").read_text().replace(":reports", str(reports)).encode())
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")


@contextmanager
def _router(servers: Mapping[str, _Server], of_router: _Server, database: str) -> Iterator[URL]:
    """A router in front of the databases of this name."""
    with ExitStack() as opened:
        urls = {name: server.url(database) for name, server in servers.items()}
        text = router_of({name: opened.enter_context(psycopg.connect(_plain(url))) for name, url in urls.items()}, urls)
    with connect(of_router.url("postgres")) as connection:
        connection.execute(f"create database {database}".encode())
    target = of_router.url(database)
    _as_postgres("psql", "--quiet", "--no-psqlrc", "--dbname", _plain(target), text=text)
    yield target


def _pgbench(target: URL, script: str, clients: int, transactions: int, variables: Mapping[str, int]) -> float:
    """Transactions a second."""
    query = target.query
    said = _as_postgres(
        _PROGRAMS / "pgbench", "--no-vacuum", "--protocol=prepared", f"--file={SCRIPTS / f'{script}.sql'}",
        f"--client={clients}", f"--jobs={min(clients, 2)}", f"--transactions={max(1, transactions // clients)}",
        f"--host={query['host']}", f"--port={query['port']}", "--username=postgres",
        *(f"--define={name}={value}" for name, value in variables.items()), str(target.database),
    )  # fmt: skip
    [rate] = [line.split()[2] for line in said.splitlines() if line.startswith("tps = ")]
    return float(rate)


def _figures(bench: Bench, servers: dict[str, _Server], of_router: _Server) -> list[Figure]:
    reports = 10 if bench.short else _REPORTS
    transactions = {1: 20, 4: 40} if bench.short else _TRANSACTIONS
    figures: list[Figure] = []
    for count in (1, 2) if bench.short else (1, 2, 3):
        servers_of = f"{count} server{'s' if count > 1 else ''}"
        used = dict(list(servers.items())[:count])
        database = f"shards_{count}"
        homes = {number: _NAMES[number % count] for number in range(64)}
        for name, server in used.items():
            bench.progress(f"{servers_of}: server {name}")
            _new_shard(server, database, [number for number, home in homes.items() if home == name], reports)
        with _router(used, of_router, database) as router:
            everything = {"reports": reports, "step": 1, "first": 1}
            # All logical shards of the first server, and no others.
            of_first = {**everything, "step": count}
            direct = used["a"].url(database)
            for clients in (1, 4):
                where = f"{servers_of}, {clients} client{'s' if clients > 1 else ''}"
                bench.progress(where)
                spent: dict[str, list[float]] = {"router": [], **{name: [] for name in used}}

                def through_router(clients: int = clients, spent: dict[str, list[float]] = spent) -> float:
                    parts = {"router": of_router, **used}
                    before = {name: part.processor_seconds for name, part in parts.items()}
                    rate = _pgbench(router, "rerun_of_shard", clients, transactions[clients], everything)
                    # The servers' sides end with the router's.
                    time.sleep(0.5)
                    for name, part in parts.items():
                        spent[name].append((part.processor_seconds - before[name]) / transactions[clients] * 1e6)
                    return rate

                def past_router(clients: int = clients) -> float:
                    return _pgbench(direct, "rerun_of_shard", clients, transactions[clients], of_first)

                for warm_up in (through_router, past_router):
                    warm_up()
                for values in spent.values():
                    values.clear()
                routed, unrouted = in_turn(bench.rounds, through_router, past_router)
                on_servers = [sum(one) for one in zip(*(spent[name] for name in used), strict=True)]
                figures += [
                    Figure("shards", f"reruns through the router, {where}", Spread.of(routed), "reports/s"),
                    Figure("shards", f"against one of the servers without it, {where}", ratios(routed, unrouted)),
                    Figure("shards", f"processor time of a rerun on the router, {where}",
                           Spread.of(spent["router"]), "us"),
                    Figure("shards", f"processor time of a rerun on its server, {where}", Spread.of(on_servers), "us"),
                ]  # fmt: skip
            bench.progress(f"{servers_of}: refusals, lists")
            calls = 20 if bench.short else 300
            refused, unrouted = in_turn(
                bench.rounds,
                lambda: _pgbench(router, "refused_rerun", 1, calls, everything),
                lambda: _pgbench(direct, "refused_rerun", 1, calls, everything),
            )
            lists, of_one = in_turn(
                bench.rounds,
                lambda: _pgbench(router, "find_reports", 1, calls, everything),
                lambda: _pgbench(direct, "find_reports", 1, calls, everything),
            )
            figures += [
                Figure("shards", f"a refusal through the router against one without it, {servers_of}",
                       ratios(refused, unrouted)),
                Figure("shards", f"a page of 100 reports of all servers against one of a server, {servers_of}",
                       ratios(lists, of_one)),
            ]  # fmt: skip
    return figures


def run(bench: Bench) -> list[Figure]:
    """Reruns through a router in front of one, two and three servers, all of them on this machine: so the rate does not
    grow with the servers, and what counts is the processor time on each part."""
    if not (_PROGRAMS / "initdb").exists() or not _PLPROXY.exists():
        bench.progress("left out: it needs Debian's postgresql-15 and postgresql-15-plproxy")
        return []
    with tempfile.TemporaryDirectory(prefix="pgreprise-bench-shards-") as made, ExitStack() as stack:
        folder = Path(made)
        folder.chmod(0o755)
        servers = {
            name: stack.enter_context(_server(folder / name, 5501 + number)) for number, name in enumerate(_NAMES)
        }
        of_router = stack.enter_context(_server(folder / "router", 5500))
        return _figures(bench, servers, of_router)
