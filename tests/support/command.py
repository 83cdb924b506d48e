"""The `pgreprise` command, run as a process or within this one."""

from __future__ import annotations

import io
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from unittest import mock

import pytest

from pyapi.cli import main

PROGRAM = Path(sys.executable).with_name("pgreprise")
Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


def environment(**settings: str) -> dict[str, str]:
    """This process's environment with these settings of pgreprise and no others."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DATABASE_URL", "PORT", "SCRIPT_NAME") and not name.startswith(("PGREPRISE_", "RUNTIME_CACHE_"))
    }
    return {**kept, **settings}


def run(*arguments: str | Path, **settings: str) -> Done:
    """Run the command with these settings, as a process."""
    return subprocess.run(
        [PROGRAM, *arguments], env=environment(**settings), capture_output=True, encoding="utf-8", check=False
    )


def run_here(*arguments: str, together: bool = False, **settings: str) -> Done:
    """The same within this process, which is faster; ``together`` puts both outputs into stdout, in their order."""
    out = io.StringIO()
    err = out if together else io.StringIO()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with (
        mock.patch.dict(os.environ, environment(**settings), clear=True),
        mock.patch.object(sys, "argv", ["pgreprise", *arguments]),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    # What a command sets for its own process, each command that a later test starts would inherit.
    for number, handler in before.items():
        signal.signal(number, handler)
    return subprocess.CompletedProcess(
        arguments, int(ended.value.code or 0), out.getvalue(), "" if together else err.getvalue()
    )


def run_on_terminal(typed: str, *arguments: str, **settings: str) -> Done:
    """Run the command for somebody at a terminal who types a line, or Ctrl-D where it is empty; stdout has all."""
    terminal, keyboard = pty.openpty()
    with subprocess.Popen(
        [PROGRAM, *arguments],
        env=environment(**settings),
        stdin=keyboard,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    ) as process:
        os.close(keyboard)
        os.write(terminal, f"{typed}\n".encode() if typed else b"\x04")
        said, _ = process.communicate()
        os.close(terminal)
    return subprocess.CompletedProcess(arguments, process.returncode, said, "")


def shown_on_terminal(*arguments: str, **settings: str) -> str:
    """What a terminal gets from a command, both outputs together."""
    terminal, screen = pty.openpty()
    with subprocess.Popen(
        [PROGRAM, *arguments],
        env=environment(TERM="xterm", **settings),
        stdin=subprocess.DEVNULL,
        stdout=screen,
        stderr=screen,
    ):
        os.close(screen)
        said = b""
        # A terminal that nobody writes to any more is an error.
        with suppress(OSError):
            while more := os.read(terminal, 4096):
                said += more
    os.close(terminal)
    return said.decode()


def succeeded(done: Done) -> str:
    """What a command printed that did what it was to do."""
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
