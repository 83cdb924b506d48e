"""A served API, and what goes over the wire to it."""

from __future__ import annotations

import re
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
from sqlalchemy import URL

from tests.support.api import as_api
from tests.support.command import PROGRAM, environment
from tests.support.databases import plain
from tests.support.ports import unused_port

# As the API is, but less patient.
_PROGRAM_TEXT = """
from gevent import monkey
monkey.patch_all()
from pyapi import cli
from pyapi.api import server, turns
server._HEAD_SECONDS, turns._BODY_SECONDS, turns._REPLY_SECONDS = 2, 2, 2
cli.main()
"""


class Server:
    """A served API."""

    def __init__(self, port: int, process: subprocess.Popen[str], said: str = "") -> None:
        self._port = port
        self._process = process
        self.said = said

    def connect(self, sent: bytes = b"") -> socket.socket:
        """A connection over which something was sent."""
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=60)
        connection.sendall(sent)
        return connection

    def answers(self, sent: bytes) -> list[int]:
        """The statuses of all replies to what is sent, until the server closes the connection."""
        with self.connect(sent) as connection:
            return statuses(everything_of(connection))

    def serves(self, path: str = "/us/report/4", **headers: str) -> bool:
        """Whether a request for the path is answered with 200."""
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=60) as reply:
            return bool(reply.status == 200)

    def memory(self) -> int:
        """What its processes hold, in bytes."""
        processes = [psutil.Process(self._process.pid), *psutil.Process(self._process.pid).children(recursive=True)]
        return sum(process.memory_info().rss for process in processes)


def everything_of(connection: socket.socket) -> bytes:
    """What comes over a connection until its other end is closed."""
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def statuses(received: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", received)]


@contextmanager
def served_api(database: URL, *options: str, **settings: str) -> Iterator[Server]:
    """An API of one process over a database."""
    port = unused_port()
    process = subprocess.Popen(
        [PROGRAM.with_name("python"), "-c", _PROGRAM_TEXT, "serve", "--workers", "1", *options],
        env=environment(DATABASE_URL=plain(as_api(database)), PORT=str(port), **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert "serves" in said
        yield Server(port, process, said)
    finally:
        process.terminate()
        process.communicate(timeout=60)
