"""The production server: gunicorn with threads, around the Flask application."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from sqlalchemy import URL

from pyapi.api.address import Address
from pyapi.api.app import create_app
from pyapi.api.auth import Authentication
from pyapi.api.worker import Worker
from pyapi.database import connect_engine

__all__ = ["serve"]


# What ends a worker.
_ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class _Arbiter(Arbiter):  # type: ignore[misc]
    """Gunicorn's parent process, changed so that a worker that is just being born hears its end.

    Until a worker has handlers of its own it has its parent's, which would swallow the signal, and be waited for.
    """

    def spawn_worker(self) -> int:
        # What is sent meanwhile arrives afterwards: here on return, in the worker in _hear_the_end.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
        try:
            return int(super().spawn_worker())
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)


def _hear_the_end() -> None:
    """The first thing that a worker does."""
    for number in _ENDS:
        signal.signal(number, lambda *_: sys.exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)


class _Gunicorn(BaseApplication):  # type: ignore[misc]
    """Gunicorn, configured by arguments instead of by files and its own command line."""

    def __init__(
        self, database: URL, authentication: Authentication | None, threads: int, options: dict[str, object]
    ) -> None:
        self._database = database
        self._authentication = authentication
        self._threads = threads
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        # Runs in each worker after the fork, so that no two processes share a connection.
        return create_app(connect_engine(self._database, pool_size=self._threads), self._authentication)

    def run(self) -> None:
        _Arbiter(self).run()


def serve(
    database: URL,
    address: Address,
    authentication: Authentication | None,
    *,
    workers: int,
    threads: int,
    when_ready: Callable[[], None] | None = None,
) -> None:
    """Serve the API until SIGINT or SIGTERM; requests under way are finished after SIGTERM.

    Each of the ``workers`` processes holds at most ``threads`` database connections.
    Does not return: gunicorn ends with SystemExit. Raises UnprotectedAddressError where
    ``authentication`` is None and others than this machine would reach the address.
    """
    if authentication is None:
        address.require_loopback()
    options: dict[str, object] = {
        "bind": f"[{address.host}]:{address.port}" if ":" in address.host else f"{address.host}:{address.port}",
        "worker_class": Worker,
        "workers": workers,
        "threads": threads,
        # Longer than the longest statement, so that a slow one ends as a 503 and not as a killed worker.
        "timeout": 60,
        "graceful_timeout": 30,
        "keepalive": 5,
        "loglevel": "warning",
        "control_socket_disable": True,
        "post_fork": lambda _server, _worker: _hear_the_end(),
    }
    if when_ready is not None:
        options["when_ready"] = lambda _server: when_ready()
    _Gunicorn(database, authentication, threads, options).run()
