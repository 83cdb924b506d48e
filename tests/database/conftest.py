"""A transaction in the module's database, which leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.databases import Connection
from tests.support.routed import Routed


@pytest.fixture
def sandbox(request: pytest.FixtureRequest, routed: Routed | None) -> Iterator[Connection]:
    """A DBA's psql in a transaction that is rolled back. A router calls no procedure in one: a database of its own."""
    if routed is not None:
        yield request.getfixturevalue("dba")
        return
    shared_connection: Connection = request.getfixturevalue("shared_connection")
    with shared_connection.transaction(force_rollback=True):
        yield shared_connection
