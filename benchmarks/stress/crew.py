"""The crew: connections that do things at random until they are told to stop."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg
from sqlalchemy import URL

from benchmarks.server import Connection, connect
from benchmarks.stress.actions import Action, act, http_act
from benchmarks.stress.invariants import Violation, check, watch_runs

__all__ = ["Crew", "World"]

_PAUSE_SECONDS = 0.2
_LOST = (psycopg.OperationalError, psycopg.InterfaceError)


@dataclass
class World:
    """What all share.

    counts: how often each thing was done, and each invariant checked.
    faults: set while something is being broken; only then may a connection be lost.
    broken: the first violation; everybody stops when there is one.
    """

    database: URL
    api_port: int
    actions: dict[str, tuple[int, Action]]
    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    faults: threading.Event = field(default_factory=threading.Event)
    broken: list[BaseException] = field(default_factory=list)
    runs: dict[tuple[str, int], int] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)


class Crew:
    """Connections to the database, some to the API, and one that checks the invariants; a thread each."""

    def __init__(self, world: World, connections: int, *, isolation: str = "read committed") -> None:
        self._world = world
        self._isolation = isolation
        self._stop = threading.Event()
        http = max(1, connections // 5)
        jobs: list[Callable[[int], None]] = [self._sql] * (connections - http) + [self._http] * http + [self._check]
        self._threads = [
            threading.Thread(target=self._run, args=(job, number), daemon=True) for number, job in enumerate(jobs)
        ]

    def __enter__(self) -> Crew:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def work(self, seconds: float) -> None:
        """Let them work for a while. Raises what one of them found."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._world.broken:
            time.sleep(0.1)
        self.raise_broken()

    def raise_broken(self) -> None:
        """Raise the first violation, if there is one."""
        if self._world.broken:
            raise self._world.broken[0]

    def _run(self, job: Callable[[int], None], number: int) -> None:
        try:
            job(number)
        except BaseException as error:
            self._world.broken.append(error)
            self._stop.set()

    def _connect(self) -> Connection:
        connection = connect(self._world.database)
        connection.execute(f"set default_transaction_isolation = '{self._isolation}'".encode())
        return connection

    def _lost(self, error: Exception) -> None:
        if not self._world.faults.is_set():
            # The last moment of a fault may be seen a little later.
            time.sleep(_PAUSE_SECONDS)
            if not self._world.faults.is_set():
                raise Violation(f"a connection was lost while nothing was broken: {error}") from error
        self._world.counts["connection lost, connected again"] += 1
        self._stop.wait(_PAUSE_SECONDS)

    def _sql(self, number: int) -> None:
        chance = random.Random(self._world.seed * 1000 + number)
        names = list(self._world.actions)
        weights = [weight for weight, _ in self._world.actions.values()]
        connection: Connection | None = None
        while not self._stop.is_set():
            try:
                if connection is None:
                    connection = self._connect()
                [name] = chance.choices(names, weights)
                act(name, self._world.actions[name][1], connection, chance, self._world.counts)
            except _LOST as error:
                if connection is not None:
                    connection.close()
                connection = None
                self._lost(error)
        if connection is not None:
            connection.close()

    def _http(self, number: int) -> None:
        chance = random.Random(self._world.seed * 1000 + number)
        client = http.client.HTTPConnection("127.0.0.1", self._world.api_port, timeout=60)
        while not self._stop.is_set():
            try:
                status = http_act(client, chance, self._world.counts)
                self._world.statuses[status] += 1
                if status == 503:
                    # Locks are waited for at most five seconds; anything else needs a fault.
                    self._stop.wait(_PAUSE_SECONDS)
            except (OSError, http.client.HTTPException) as error:
                client.close()
                if isinstance(error, http.client.RemoteDisconnected | ConnectionResetError | BrokenPipeError):
                    # A server may close a connection that was kept open.
                    self._world.counts["HTTP connection closed by the server, opened again"] += 1
                    continue
                self._lost(error)
        client.close()

    def _check(self, _: int) -> None:
        connection: Connection | None = None
        while not self._stop.is_set():
            try:
                if connection is None:
                    connection = connect(self._world.database)
                check(connection, self._world.checks)
                watch_runs(connection, self._world.runs, self._world.checks)
            except _LOST as error:
                if connection is not None:
                    connection.close()
                connection = None
                self._lost(error)
            self._stop.wait(0.5)
        if connection is not None:
            connection.close()
