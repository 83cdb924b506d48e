"""The production server: gunicorn with its gevent worker, around the Flask application.

A slow client costs a greenlet, and nobody waits for it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import gunicorn.util
from flask import Flask
from gevent import monkey
from gunicorn import systemd
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from sqlalchemy import URL, Engine

from pyapi.api.address import Address
from pyapi.api.app import create_app
from pyapi.api.auth import Authentication
from pyapi.api.logs import configure_logs, log_configuration
from pyapi.api.replica import Replica, WritePosition
from pyapi.api.turns import in_turn
from pyapi.database import connect_engine
from pyapi.economy_cache import EconomyCache
from pyapi.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

__all__ = ["serve"]

# How long a connection may be idle, and how long the head of a request may take.
_HEAD_SECONDS = 5
# How long a request waits for a database connection. The pool keeps no order, so where hundreds wait
# some wait several times as long as the others.
_POOL_SECONDS = 15
# prometheus_client reads this name.
_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"

_UNREADABLE = {
    414: "The URL is too long.",
    431: "The headers are too long, or too many.",
    500: "An unexpected error occurred. The log describes it.",
}

# What ends a worker.
_ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def _block_the_ends() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)


def _unblock_the_ends() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)


def _end_at_once() -> None:
    # Ctrl-C reaches a worker twice, from the terminal and from its parent. The second one would interrupt
    # the end of the interpreter, which then prints a traceback.
    os._exit(0)


def _hear_the_end() -> None:
    for number in _ENDS:
        signal.signal(number, lambda _number, _frame: _end_at_once())
    _unblock_the_ends()


def _let_newborn_workers_hear_their_end() -> None:
    """Until a worker has signal handlers of its own it has its parent's, which would swallow the signal.

    So what is sent during a fork arrives afterwards, and ends the worker.
    """
    os.register_at_fork(before=_block_the_ends, after_in_parent=_unblock_the_ends, after_in_child=_hear_the_end)


def _write_error(client: socket.socket, status: int, reason: str, _message: str) -> None:
    """The reply to what is no request, in the envelope. Gunicorn would send a page of HTML."""
    envelope = {
        "status": "error",
        "message": f"{status} {reason}: {_UNREADABLE.get(status, 'The request is not HTTP that this API reads.')}",
        "result": None,
        "code": reason.upper().replace(" ", "_"),
    }
    body = json.dumps(envelope)
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"X-Content-Type-Options: nosniff\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    gunicorn.util.write_nonblock(client, (head + body).encode())


def _leave_hangups_to_the_parent() -> None:
    # A terminal that is closed tells all processes. The parent lets its workers finish their requests.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


class _Arbiter(Arbiter):  # type: ignore[misc]
    """Gunicorn's parent process. It stops when its terminal is closed, where gunicorn would begin anew."""

    _is_deaf = False

    def init_signals(self) -> None:
        # nohup ignores it, to go on without the terminal.
        self._is_deaf = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        super().init_signals()

    def stop(self, graceful: bool = True) -> None:
        # Gunicorn tells systemd only when it is ready.
        systemd.sd_notify("STOPPING=1", self.log)
        super().stop(graceful)

    def handle_hup(self) -> None:
        if not self._is_deaf:
            self.handle_term()


class _Gunicorn(BaseApplication):  # type: ignore[misc]
    """Gunicorn, configured by arguments instead of by files and its own command line."""

    def __init__(self, load_application: Callable[[], WSGIApplication], options: dict[str, object]) -> None:
        self._load_application = load_application
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        # Runs in each worker after the fork, so that no two processes share a connection.
        return self._load_application()

    def run(self) -> None:
        try:
            _Arbiter(self).run()
        except RuntimeError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(1)


@contextmanager
def _counting_together() -> Iterator[None]:
    """Give the workers a folder to count in: prometheus_client adds up what it finds there."""
    folder, parent = tempfile.mkdtemp(prefix="pgreprise-metrics-"), os.getpid()
    os.environ[_METRICS_FOLDER] = folder
    try:
        yield
    finally:
        # A worker ends here as well.
        if os.getpid() == parent:
            shutil.rmtree(folder, ignore_errors=True)


def _forget_process(pid: int) -> None:
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid)  # type: ignore[no-untyped-call]


def serve(
    database: URL,
    address: Address,
    authentication: Authentication | None,
    settings: Settings,
    *,
    economy_cache: EconomyCache | None = None,
    workers: int = 2,
    connections: int = 8,
    clients: int = 1000,
    console: Callable[[Flask], None] | None = None,
    when_ready: Callable[[], None] | None = None,
) -> None:
    """Serve the API until SIGINT or SIGTERM; requests under way are finished after SIGTERM.

    ``console`` registers the pages for operators, where there are any. The ``settings`` say what else it does; which
    database and which keys they name does not count. Each of the ``workers`` processes serves at most ``clients``
    connections of clients at once, over at most ``connections`` to the database. Does not return: gunicorn ends with
    SystemExit.
    Raises UnprotectedAddressError where ``authentication`` is None and others than this machine would reach
    the address, and RuntimeError where gevent has not patched the process before psycopg was imported.
    """
    if authentication is None:
        address.require_loopback()
    if not monkey.is_module_patched("select"):
        raise RuntimeError("gevent has not patched this process. Start it with pyapi.__main__.")
    # Shared by the workers, so it is made before they are.
    position = WritePosition()

    def engine(url: URL, *, wants_writer: bool = True) -> Engine:
        return connect_engine(
            url,
            pool_size=connections,
            pool_timeout_seconds=_POOL_SECONDS,
            is_pooled=settings.is_pooled,
            call_timeout_seconds=settings.call_timeout_seconds,
            wants_writer=wants_writer,
        )

    def application() -> WSGIApplication:
        replica = None
        if settings.read_database is not None:
            replica = Replica(engine(settings.read_database, wants_writer=False), position)
        return in_turn(
            create_app(
                engine(database),
                authentication,
                economy_cache=economy_cache,
                origins=settings.cors_origins,
                replica=replica,
                metrics_token=settings.metrics_token,
                prefix=settings.prefix,
                proxies=settings.proxies,
                console=console,
            )
        )

    log = {"as_json": settings.logs_json, "access_log": settings.access_log}
    options: dict[str, object] = {
        "bind": f"[{address.host}]:{address.port}" if ":" in address.host else f"{address.host}:{address.port}",
        "worker_class": "gevent",
        "workers": workers,
        "worker_connections": clients,
        # Longer than anything that keeps a process from its event loop.
        "timeout": 60,
        "graceful_timeout": 30,
        "keepalive": _HEAD_SECONDS,
        "loglevel": "warning",
        "control_socket_disable": True,
        # Gunicorn would believe whoever is on this machine, as the client of a proxy there is, too.
        "forwarded_allow_ips": "",
        "forwarder_headers": "",
        "secure_scheme_headers": {},
        "post_fork": lambda _server, worker: position.use_slot(worker.age),
        "post_worker_init": lambda _worker: _leave_hangups_to_the_parent(),
        "worker_int": lambda _worker: _end_at_once(),
        "logconfig_dict": log_configuration(**log),
    }
    configure_logs(**log)
    if when_ready is not None:
        options["when_ready"] = lambda _server: when_ready()
    # Gunicorn would take it off the path, also where only a part of a name is equal.
    os.environ.pop("SCRIPT_NAME", None)
    # A request that cannot be read never comes to the application.
    gunicorn.util.write_error = _write_error
    _let_newborn_workers_hear_their_end()
    if settings.metrics_token is None:
        _Gunicorn(application, options).run()
    else:
        options["child_exit"] = lambda _server, worker: _forget_process(worker.pid)
        with _counting_together():
            _Gunicorn(application, options).run()
