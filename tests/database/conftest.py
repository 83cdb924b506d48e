"""A transaction in the module's database, which leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.databases import Connection


@pytest.fixture
def sandbox(shared_connection: Connection) -> Iterator[Connection]:
    """A DBA's psql in a transaction that is rolled back after the test."""
    with shared_connection.transaction(force_rollback=True):
        yield shared_connection
