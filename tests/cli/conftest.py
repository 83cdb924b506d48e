"""The command as its users run it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

PROGRAM = Path(sys.executable).with_name("pgreprise")
Run = Callable[..., subprocess.CompletedProcess[str]]


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


def run(*arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the command with these settings."""
    return subprocess.run(
        [PROGRAM, *arguments], env=environment(**settings), capture_output=True, encoding="utf-8", check=False
    )


@pytest.fixture
def pgreprise(database: URL) -> Run:
    """Runs the command on the test's database."""
    return lambda *arguments, **settings: run(*arguments, **{"DATABASE_URL": plain(database), **settings})


@pytest.fixture
def plain_folder() -> Iterator[Path]:
    """A folder outside pytest's, which every run that starts closes to the account of a root's server."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
