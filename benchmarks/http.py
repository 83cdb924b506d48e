"""HTTP: the routes against a constant Flask route, on each WSGI server considered."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import psutil

from benchmarks.data import filled_database
from benchmarks.harness import Bench, Figure, Spread, ratios
from benchmarks.pgbench import SCRIPTS
from benchmarks.server import connect
from pyapi.embedded import API_LOGIN

__all__ = ["CLIENTS", "SECONDS", "SERVERS", "Server", "load", "run", "running"]

# Of the requests a second of a route that asks no database.
_AIMS = {"GET": 0.5, "rerun": 0.4}
# Two processes with eight database connections each, as `serve` has by default; gunicorn as `serve` runs it.
SERVERS = {
    "gunicorn": ["gunicorn", "--worker-class=gevent", "--workers=2", "--keep-alive=5", "--log-level=error",
                 "--no-control-socket", "--bind=127.0.0.1:{port}", "benchmarks.wsgi:in_turn()"],
    "granian": ["granian", "--interface=wsgi", "--workers=2", "--blocking-threads=8", "--log-level=error",
                "--host=127.0.0.1", "--port={port}", "benchmarks.wsgi:app"],
    "waitress": ["waitress", "--threads=16", "--listen=127.0.0.1:{port}", "benchmarks.wsgi:app"],
}  # fmt: skip
CLIENTS = 16
SECONDS = 3
ROUTES = {"constant": "/constant", "GET": "/us/report/1", "rerun": None}
SLOW_CLIENTS = 40
HALF_A_REQUEST = (
    b"PATCH /us/report HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
)


@dataclass
class Server:
    """A running WSGI server, and what it did round by round."""

    port: int
    process: psutil.Process
    rates: dict[str, list[float]] = field(default_factory=lambda: {route: [] for route in ROUTES})
    # Of the constant route, while others are slow to send.
    beside_slow: list[float] = field(default_factory=list)
    slowest: dict[str, list[float]] = field(default_factory=lambda: {route: [] for route in ROUTES})
    # Milliseconds of the server's processes for one request.
    cpu: dict[str, list[float]] = field(default_factory=lambda: {route: [] for route in ROUTES})

    def cpu_seconds(self) -> float:
        """The processor time that all its processes have taken so far."""
        processes = [self.process, *self.process.children(recursive=True)]
        times = [process.cpu_times() for process in processes]
        return float(sum(time.user + time.system for time in times))


def _is_installed(module: str) -> bool:
    return subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0


@contextmanager
def running(command: list[str], database: str) -> Iterator[Server]:
    """A WSGI server for the application and a database, until the end of the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    arguments = [argument.format(port=port) for argument in command]
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        env={**os.environ, "BENCH_DATABASE": database},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/us/report/1").close()
                break
            except OSError:
                time.sleep(0.1)
        yield Server(port, psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait(30)


_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def load(
    port: int,
    path: str | None,
    seconds: int,
    first: int = 0,
    *,
    may_time_out: bool = False,
    headers: Sequence[str] = (),
) -> tuple[float, float]:
    """Requests per second, and the 99th percentile in milliseconds."""
    arguments = ["wrk", "--threads=1", f"--connections={CLIENTS}", f"--duration={seconds}s", "--latency"]
    arguments += [f"--header={header}" for header in headers]
    if path is None:
        arguments.append(f"--script={SCRIPTS / 'rerun.lua'}")
    done = subprocess.run(
        [*arguments, f"http://127.0.0.1:{port}{path or '/'}"],
        env={**os.environ, "BENCH_FIRST": str(first)},
        capture_output=True,
        text=True,
        check=True,
    )
    if "Non-2xx" in done.stdout or ("Socket errors" in done.stdout and not may_time_out):
        raise RuntimeError(f"{path or 'rerun'}: {done.stdout}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    slowest = re.search(r"99%\s+([\d.]+)(us|ms|s)", done.stdout)
    assert rate is not None
    assert slowest is not None
    return float(rate[1]), float(slowest[1]) * _UNITS[slowest[2]]


def _beside_slow_clients(port: int, seconds: int) -> float:
    """Requests per second of the constant route while others have sent half a request each."""
    with ExitStack() as stack:
        for _ in range(SLOW_CLIENTS):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            slow.sendall(HALF_A_REQUEST)
        return load(port, ROUTES["constant"], seconds, may_time_out=True)[0]


def run(bench: Bench) -> list[Figure]:
    """Load by wrk over 16 connections, servers and routes in turn."""
    if shutil.which("wrk") is None:
        bench.progress("left out: wrk is not installed (apt-get install wrk)")
        return []
    seconds, rounds = (1, 1) if bench.short else (SECONDS, bench.rounds)
    reports = 20_000 if bench.short else 250_000
    bench.progress(f"{reports:,} reports")
    database = filled_database(bench.server, "bench_http", reports, 1_024)
    with connect(database) as connection:
        if connection.execute("select from pg_roles where rolname = %s", (API_LOGIN,)).fetchone() is None:
            connection.execute(f"create role {API_LOGIN} login in role pgreprise_api".encode())
    url = database.set(username=API_LOGIN).render_as_string(hide_password=False)
    first = 2
    with ExitStack() as stack:
        servers = {}
        for name, command in SERVERS.items():
            if _is_installed(command[0]):
                servers[name] = stack.enter_context(running(command, url))
            else:
                bench.progress(f"{name} is not installed, left out")
        for number in range(rounds):
            bench.progress(f"round {number + 1}")
            for server in servers.values():
                for route, path in ROUTES.items():
                    before = server.cpu_seconds()
                    rate, slowest = load(server.port, path, seconds, first)
                    server.cpu[route].append(1000 * (server.cpu_seconds() - before) / (rate * seconds))
                    server.rates[route].append(rate)
                    server.slowest[route].append(slowest)
                    first += int(rate * seconds * 1.2) + CLIENTS if path is None else 0
                server.beside_slow.append(_beside_slow_clients(server.port, seconds))
    figures = []
    for name, server in servers.items():
        figures += [
            Figure("http", f"{name}: constant", Spread.of(server.rates["constant"]), "requests/s"),
            Figure("http", f"{name}: constant, processor time of a request", Spread.of(server.cpu["constant"]), "ms"),
            Figure("http", f"{name}: constant, beside {SLOW_CLIENTS} slow clients", Spread.of(server.beside_slow),
                   "requests/s"),
        ]  # fmt: skip
        for route in ("GET", "rerun"):
            figures += [
                Figure("http", f"{name}: {route}", Spread.of(server.rates[route]), "requests/s"),
                Figure("http", f"{name}: {route}, 99th percentile", Spread.of(server.slowest[route]), "ms"),
                Figure("http", f"{name}: {route}, processor time of a request", Spread.of(server.cpu[route]), "ms"),
                Figure("http", f"{name}: {route} against the constant route",
                       ratios(server.rates[route], server.rates["constant"]), at_least=_AIMS[route]),
            ]  # fmt: skip
    return figures
