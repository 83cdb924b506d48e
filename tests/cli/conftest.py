"""The command as its users run it."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import pytest
from sqlalchemy import URL

from pyapi.cli import main
from tests.conftest import folder_of_a_server

PROGRAM = Path(sys.executable).with_name("pgreprise")
Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


def environment(**settings: str) -> dict[str, str]:
    """This process's environment with these settings of pgreprise and no others."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DATABASE_URL", "PORT") and not name.startswith("PGREPRISE_")
    }
    return {**kept, **settings}


def plain(url: URL) -> str:
    """The URL as people write it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def run(*arguments: str | Path, **settings: str) -> Done:
    """Run the command with these settings, as a process."""
    return subprocess.run(
        [PROGRAM, *arguments], env=environment(**settings), capture_output=True, encoding="utf-8", check=False
    )


def run_here(*arguments: str, together: bool = False, **settings: str) -> Done:
    """The same within this process, which is faster; ``together`` puts both outputs into stdout, in their order."""
    out = io.StringIO()
    err = out if together else io.StringIO()
    terminated = signal.getsignal(signal.SIGTERM)
    with (
        mock.patch.dict(os.environ, environment(**settings), clear=True),
        mock.patch.object(sys, "argv", ["pgreprise", *arguments]),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    signal.signal(signal.SIGTERM, terminated)
    return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), out.getvalue(), "" if together else err.getvalue())


@pytest.fixture
def pgreprise(database: URL) -> Run:
    """Runs the command on the test's database, within this process."""
    return lambda *arguments, **settings: run_here(*arguments, **{"DATABASE_URL": plain(database), **settings})


@pytest.fixture
def plain_folder() -> Iterator[Path]:
    """A folder in which a command may start a server."""
    with folder_of_a_server() as folder:
        yield Path(folder)
