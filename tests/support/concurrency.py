"""Many callers at once, and one who waits for another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import IsolationLevel

from tests.support.databases import Connect, Connection
from tests.support.statements import one

Result = TypeVar("Result")

CALLERS = 8
LEVELS = [IsolationLevel.READ_COMMITTED, IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE]


def at_once(callers: int, work: Callable[[int], Result]) -> list[Result]:
    """Run ``work(0)`` to ``work(callers - 1)`` in threads that start together; raise what any of them raised."""
    start = threading.Barrier(callers)

    def run(number: int) -> Result:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(callers) as pool:
        return list(pool.map(run, range(callers)))


def connections(connect: Connect, count: int, level: IsolationLevel | None = None) -> list[Connection]:
    """Connections of as many callers, whose transactions are of a level."""
    opened = [connect() for _ in range(count)]
    for connection in opened:
        # A call that waits longer than this fails the test; a deadlock is found after one second.
        connection.execute("set lock_timeout = '60s'")
        connection.isolation_level = level
    return opened


@contextmanager
def waiting_for_a_lock(
    watcher: Connection, blocked: Connection, statement: str, *arguments: Any
) -> Iterator[Future[psycopg.Cursor[dict[str, Any]]]]:
    """Run a statement that has to wait for a lock; the body runs while it waits, the statement ends after it."""
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(lambda: blocked.execute(statement, arguments))
        waits = "select cardinality(pg_blocking_pids(%s)) > 0 as waits"
        while not one(watcher, waits, blocked.info.backend_pid)["waits"]:
            assert not running.done(), "the statement did not have to wait"
        yield running
        running.result()
