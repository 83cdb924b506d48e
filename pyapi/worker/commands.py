"""A command at work: it reads one document, prints results, and says on its standard error how far it is."""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, Self

from pyapi.worker.results import Result, Results, storable

__all__ = ["Command", "News"]

_CHUNK_BYTES = 1 << 16
# As much of a line as is kept, and so many of the last lines.
_LINE_CHARACTERS = 1000
_LAST_LINES = 20
_PROGRESS = re.compile(r"progress +(0|0?\.[0-9]+|1|1\.0*)(?: +(.*))?")


@dataclass(frozen=True)
class News:
    """What a command said last: how far it is, from 0 to 1, and a message; None for what it has not said."""

    progress: float | None = None
    message: str | None = None


def _said(line: str, before: News) -> News:
    """What a line of standard error says: progress 0.4 reading, {"progress": 0.4, "message": "reading"}, or a text."""
    if found := _PROGRESS.fullmatch(line):
        return News(float(found[1]), found[2] or before.message)
    if line.startswith("{"):
        with suppress(ValueError, RecursionError):
            match json.loads(line):
                case {"progress": int() | float() as progress, **more} if 0 <= progress <= 1:
                    return News(float(progress), storable(str(more.get("message", before.message or ""))) or None)
    return News(before.progress, line)


class Command:
    """A process in a group of its own, which ends with all that it has started.

    Raises OSError where it cannot be started.
    """

    def __init__(self, words: Sequence[str], document: bytes, largest_result: int) -> None:
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            # So that Ctrl-C at a terminal reaches the worker only, and so that one signal ends the group.
            start_new_session=True,
        )
        self.news = News()
        self._results = Results(largest_result)
        self._found: list[Result] = []
        self._line = bytearray()
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._to_write = memoryview(document)
        self._kill_at: float | None = None
        self._selector = selectors.DefaultSelector()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._register(self._process.stdin, selectors.EVENT_WRITE, self._write)
        self._register(self._process.stdout, selectors.EVENT_READ, self._read_results)
        self._register(self._process.stderr, selectors.EVENT_READ, self._read_news)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._signal(signal.SIGKILL)
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream
            # What could not be written is of no use any more.
            with suppress(OSError):
                stream.close()
        self._selector.close()

    @property
    def code(self) -> int | None:
        """The exit code, minus the number of a signal that ended it; None while it runs."""
        return self._process.returncode

    @property
    def last_lines(self) -> str:
        """The last lines of its standard error."""
        return "\n".join(self._last_lines)

    def look(self, seconds: float) -> list[Result]:
        """Wait for what it prints, at most so long, and give the results. Raises ResultError.

        Where it has ended, these are all that are left.
        """
        for key, _ in self._selector.select(seconds):
            key.data()
        if self._kill_at is not None and time.monotonic() > self._kill_at:
            self._signal(signal.SIGKILL)
        if self._process.poll() is not None:
            # Whatever it has started holds its pipes too.
            self._signal(signal.SIGKILL)
            while self._selector.get_map() and (ready := self._selector.select(0.1)):
                for key, _ in ready:
                    key.data()
            self._found += self._results.end()
        found, self._found = self._found, []
        return found

    def stop(self, grace_seconds: float) -> None:
        """Ask it to end, and kill it where it does not within that time. It is to be looked at until it has ended."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + grace_seconds
            self._signal(signal.SIGTERM)

    def discard(self) -> None:
        """Let it run to its end without any results."""
        self._results = _Nothing()

    def _signal(self, number: signal.Signals) -> None:
        # Its number is not given to another group as long as one process of the group is there.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    # --- its pipes ---------------------------------------------------------------------------

    def _register(self, stream: IO[bytes], event: int, handle: Callable[[IO[bytes]], None]) -> None:
        os.set_blocking(stream.fileno(), False)
        self._selector.register(stream, event, lambda: handle(stream))

    def _end(self, stream: IO[bytes]) -> None:
        self._selector.unregister(stream)
        stream.close()

    def _write(self, stream: IO[bytes]) -> None:
        try:
            written = os.write(stream.fileno(), self._to_write[:_CHUNK_BYTES])
        except BlockingIOError:
            return
        except BrokenPipeError:
            # It does not read its input.
            self._end(stream)
            return
        self._to_write = self._to_write[written:]
        if not self._to_write:
            self._end(stream)

    def _read(self, stream: IO[bytes]) -> bytes:
        try:
            printed = os.read(stream.fileno(), _CHUNK_BYTES)
        except BlockingIOError:
            return b""
        if not printed:
            self._end(stream)
        return printed

    def _read_results(self, stream: IO[bytes]) -> None:
        self._found += self._results.feed(self._read(stream))

    def _read_news(self, stream: IO[bytes]) -> None:
        printed = self._read(stream)
        *lines, rest = printed.split(b"\n")
        for line in lines:
            self._line += line
            self._end_line()
        self._line += rest[: _LINE_CHARACTERS * 4]
        del self._line[_LINE_CHARACTERS * 4 :]
        if not printed and self._line:
            self._end_line()

    def _end_line(self) -> None:
        text = storable(self._line.decode(errors="replace")).strip()[:_LINE_CHARACTERS]
        self._line.clear()
        if text:
            self._last_lines.append(text)
            self.news = _said(text, self.news)


class _Nothing(Results):
    """Takes whatever is printed, and finds nothing in it."""

    def __init__(self) -> None:
        super().__init__(0)

    def feed(self, printed: bytes) -> list[Any]:  # noqa: ARG002
        return []

    def end(self) -> list[Any]:
        return []
