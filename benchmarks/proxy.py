"""A proxy between a client and PostgreSQL that delays every byte and can cut its connections.

Written here because none of the usual ones could be had: tc netem needs root and a kernel module that is often
absent, and toxiproxy is in no package registry that the project uses. It listens on a port of the loopback
address and connects to a Unix socket.

    python -m benchmarks.proxy SOCKET DELAY_MILLISECONDS

prints the port that it listens on. A line on standard input, "cut", closes all connections at once; the end
of the input ends the proxy.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["Proxy", "delayed"]

_CHUNK_BYTES = 65536


class _Relay:
    def __init__(self, socket: str, delay_seconds: float) -> None:
        self._socket = socket
        self._delay_seconds = delay_seconds
        self._writers: set[asyncio.StreamWriter] = set()

    async def _one_way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        with suppress(ConnectionError):
            while data := await reader.read(_CHUNK_BYTES):
                if self._delay_seconds:
                    # Bytes travel one behind the other: a delay, not a limit of the rate.
                    loop.call_later(self._delay_seconds, self._deliver, writer, data)
                else:
                    self._deliver(writer, data)
        await asyncio.sleep(self._delay_seconds)
        with suppress(ConnectionError, RuntimeError):
            writer.close()

    def _deliver(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        if not writer.is_closing():
            writer.write(data)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client."""
        try:
            server_reader, server_writer = await asyncio.open_unix_connection(self._socket)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, server_writer}
        try:
            await asyncio.gather(self._one_way(reader, server_writer), self._one_way(server_reader, writer))
        finally:
            self._writers -= {writer, server_writer}

    def cut(self) -> None:
        """Close every connection without a word."""
        for writer in self._writers:
            writer.transport.abort()


async def _main(socket: str, delay_milliseconds: float) -> None:
    relay = _Relay(socket, delay_milliseconds / 1000)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while await orders.readline() == b"cut\n":
        relay.cut()


class Proxy:
    """A running proxy."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._orders = process.stdin
        self.port = int(process.stdout.readline())

    def cut(self) -> None:
        """Close every connection through the proxy; new ones are taken."""
        self._orders.write("cut\n")
        self._orders.flush()


@contextmanager
def delayed(socket: str, milliseconds: float) -> Iterator[Proxy]:
    """A proxy to a socket, in a process of its own, that delays each direction by this long."""
    command = [sys.executable, "-m", "benchmarks.proxy", socket, str(milliseconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Proxy(process)
        finally:
            process.terminate()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], float(sys.argv[2])))
