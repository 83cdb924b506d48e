"""The command as its users run it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.support.command import Run, run_here
from tests.support.databases import folder_of_a_server, plain


@pytest.fixture
def pgreprise(database: URL) -> Run:
    """Runs the command on the test's database, within this process."""
    return lambda *arguments, **settings: run_here(*arguments, **{"DATABASE_URL": plain(database), **settings})


@pytest.fixture
def plain_folder() -> Iterator[Path]:
    """A folder in which a command may start a server."""
    with folder_of_a_server() as folder:
        yield Path(folder)
