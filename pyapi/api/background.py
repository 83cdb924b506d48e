"""Work that a request leaves to be done after its reply, on threads of its own.

So neither the reply nor the next request on the same connection waits for it. Nothing is stored about it: what is lost
with the process must be wanted again by a later request.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait

__all__ = ["BACKGROUND", "Background"]

# The name of an application's Background among its extensions.
BACKGROUND = "pgreprise.background"

# Each task holds a connection to the database while it runs.
_THREADS = 2
_WAITING = 100


class Background:
    """Runs tasks, a few at a time, and each key once at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: dict[Hashable, Future[None]] = {}
        self._executor: ThreadPoolExecutor | None = None

    def run(self, key: Hashable, task: Callable[[], None]) -> None:
        """Run a task soon. It is dropped when one of the same key has not ended, or when very many wait.

        The task must log its own errors.
        """
        with self._lock:
            if key in self._tasks or len(self._tasks) >= _WAITING:
                return
            if self._executor is None:
                # Not earlier, so that its threads belong to the process that uses them.
                self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="background")
            self._tasks[key] = future = self._executor.submit(task)
        # Outside the lock, because a task that has ended already calls it at once.
        future.add_done_callback(lambda _: self._forget(key))

    def wait(self) -> None:
        """Wait until every task has ended."""
        with self._lock:
            tasks = list(self._tasks.values())
        wait(tasks)

    def _forget(self, key: Hashable) -> None:
        with self._lock:
            del self._tasks[key]
