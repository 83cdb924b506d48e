"""Outputs from end to end: what 16 clients get and send, by the size of the output, and what it costs the API."""

from __future__ import annotations

import http.client
import itertools
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.data import filled_database, report_output
from benchmarks.harness import Bench, Figure, Spread, ratios
from benchmarks.http import CLIENTS, SECONDS, SERVERS, Server, load, running
from benchmarks.server import Connection, connect
from pyapi.embedded import API_LOGIN

__all__ = ["run"]

SIZES = {"1 KB": 1_024, "260 KB": 260 * 1_024, "5 MB": 5 * 2**20}
# How many reports there are, and how many are written and undone in a round.
REPORTS = {"1 KB": (400, 320), "260 KB": (100, 96), "5 MB": (20, 16)}
_TICK_SECONDS = 0.02
_MILLION = 2**20


@dataclass
class _Measured:
    """One thing that clients do, round by round."""

    rates: list[float] = field(default_factory=list)
    # Milliseconds of the API's processes for one request.
    cpu: list[float] = field(default_factory=list)


class _Memory:
    """The most memory that a worker of a server has at any time (its share of what processes share included)."""

    def __init__(self, server: Server) -> None:
        self._workers = server.process.children(recursive=True)
        self.idle = self.most = self._now()
        self._is_over = threading.Event()

    def _now(self) -> float:
        return float(max(worker.memory_full_info().pss for worker in self._workers)) / _MILLION

    def _watch(self) -> None:
        while not self._is_over.wait(_TICK_SECONDS):
            self.most = max(self.most, self._now())

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look again and again until the end of the block."""
        watcher = threading.Thread(target=self._watch)
        watcher.start()
        try:
            yield
        finally:
            self._is_over.set()
            watcher.join()


def _fill(connection: Connection, reports: int, size: int) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            "update public.report_outputs set output = %s::json where id = %s",
            [(report_output(size, number), number) for number in range(1, reports + 1)],
        )
    connection.execute("select public.set_setting('allow_unfinish', 'on')")
    connection.execute("vacuum analyze")


def _send_all(port: int, requests: list[tuple[str, str, bytes | None]]) -> float:
    """Send each request once, over as many connections as there are clients; requests per second."""
    waiting = iter(requests)
    lock = threading.Lock()

    def client(_: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while True:
            with lock:
                wanted = next(waiting, None)
            if wanted is None:
                connection.close()
                return
            method, path, body = wanted
            connection.request(method, path, body, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            said = reply.read()
            if reply.status != http.HTTPStatus.OK:
                raise RuntimeError(f"{method} {path}: {reply.status} {said[:200]!r}")

    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))
    return len(requests) / (time.perf_counter() - began)


def _reruns(connection: Connection, reports: range) -> list[tuple[str, str, bytes | None]]:
    """Rerun the reports; the requests that undo it."""
    undos: list[tuple[str, str, bytes | None]] = []
    for report in reports:
        row = connection.execute("call public.rerun_report(%s::bigint)", (report,)).fetchone()
        assert row is not None
        result = row[0]
        assert isinstance(result, dict)
        undos.append(("POST", f"/us/report/{report}/reruns/{result['rerun_id']}/undo", None))
    return undos


def _measure(bench: Bench, name: str) -> list[Figure]:
    size, (reports, written) = SIZES[name], REPORTS[name]
    seconds, rounds = (1, 1) if bench.short else (SECONDS, bench.rounds)
    database = filled_database(bench.server, f"bench_outputs_{size}", reports, 0)
    versions = itertools.count()

    def bodies(*, as_object: bool) -> list[tuple[str, str, bytes | None]]:
        texts = [report_output(size, next(versions)) for _ in range(2)]
        outputs = [json.loads(text) if as_object else text for text in texts]
        return [
            ("PATCH", "/us/report", json.dumps({"id": number, "status": "complete", "output": output}).encode())
            for number, output in zip(range(1, written + 1), itertools.cycle(outputs), strict=False)
        ]

    with connect(database) as connection:
        _fill(connection, reports, size)
        if connection.execute("select from pg_roles where rolname = %s", (API_LOGIN,)).fetchone() is None:
            connection.execute(f"create role {API_LOGIN} login in role pgreprise_api".encode())
        # Run 1 of the last report is in the archive.
        connection.execute("call public.rerun_report(%s::bigint)", (reports,))
        url = database.set(username=API_LOGIN).render_as_string(hide_password=False)
        with running(SERVERS["gunicorn"], url) as server:
            memory = _Memory(server)
            tag = _tag(server.port)
            get = "/us/report/1"
            done: dict[str, Callable[[], float]] = {
                "constant": lambda: load(server.port, "/constant", seconds)[0],
                "GET": lambda: load(server.port, get, seconds)[0],
                "GET, gzip": lambda: load(server.port, get, seconds, headers=("Accept-Encoding: gzip",))[0],
                "GET, 304": lambda: load(server.port, get, seconds, headers=(f"If-None-Match: {tag}",))[0],
                "GET of an earlier run": lambda: load(server.port, f"/us/report/{reports}/runs/1", seconds)[0],
                "PATCH, a text": lambda: _send_all(server.port, texts),
                "PATCH, an object": lambda: _send_all(server.port, objects),
                "undo": lambda: _send_all(server.port, undos),
            }
            measured = {what: _Measured() for what in done}
            with memory.watched():
                for number in range(rounds):
                    bench.progress(f"{name}: round {number + 1}")
                    texts, objects = bodies(as_object=False), bodies(as_object=True)
                    tag = _tag(server.port)
                    for what, act in done.items():
                        if what == "undo":
                            undos = _reruns(connection, range(2, written + 1))
                        is_counted = what in ("PATCH, a text", "PATCH, an object", "undo")
                        before = server.cpu_seconds()
                        rate = act()
                        requests = (len(undos) if what == "undo" else written) if is_counted else rate * seconds
                        measured[what].rates.append(rate)
                        measured[what].cpu.append(1000 * (server.cpu_seconds() - before) / requests)
    figures = []
    for what, found in measured.items():
        figures += [
            Figure("outputs", f"{name}: {what}", Spread.of(found.rates), "requests/s"),
            Figure("outputs", f"{name}: {what}, processor time of a request", Spread.of(found.cpu), "ms"),
        ]
    figures += [
        Figure("outputs", f"{name}: GET against the constant route",
               ratios(measured["GET"].rates, measured["constant"].rates)),
        Figure("outputs", f"{name}: 304 against GET", ratios(measured["GET, 304"].rates, measured["GET"].rates)),
        Figure("outputs", f"{name}: memory of a worker, most", Spread.of([memory.most]), "MB",
               note=f"{memory.idle:.0f} before"),
    ]  # fmt: skip
    return figures


def _tag(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/us/report/1")
    tag = connection.getresponse().headers["ETag"]
    connection.close()
    assert tag is not None
    return tag


def run(bench: Bench) -> list[Figure]:
    """GET, PATCH and undo by 16 clients with outputs of three sizes, in the shape of real ones."""
    if shutil.which("wrk") is None:
        bench.progress("left out: wrk is not installed (apt-get install wrk)")
        return []
    figures = []
    for name in SIZES:
        if bench.short and SIZES[name] > _MILLION:
            continue
        figures += _measure(bench, name)
    return figures
