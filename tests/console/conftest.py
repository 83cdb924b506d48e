"""The console over the test's database, as operators use it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import URL

from tests.support.console import Operator, console_over
from tests.support.tokens import SECRET, authentication


@pytest.fixture
def operator(database: URL) -> Iterator[Operator]:
    """Somebody at the machine itself, who may do everything."""
    with console_over(database) as found:
        yield found


@pytest.fixture
def stranger(database: URL) -> Iterator[Operator]:
    """Somebody whom the console asks for a token."""
    with console_over(database, authentication(jwt_secret=SECRET)) as found:
        yield found
