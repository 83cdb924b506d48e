"""A database that the tests of a module share, each in a transaction that it leaves nothing of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import URL

Connection = psycopg.Connection[dict[str, Any]]


@pytest.fixture(scope="module")
def shared_database(server: URL, new_database: Callable[..., DatabaseJanitor], template: str) -> Iterator[URL]:
    """A migrated database of the module's own, as its superuser."""
    with new_database(template) as made:
        yield server.set(database=made.dbname)


@pytest.fixture(scope="module")
def shared_connection(shared_database: URL) -> Iterator[Connection]:
    """A superuser's connection to it."""
    url = shared_database.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


@pytest.fixture
def sandbox(shared_connection: Connection) -> Iterator[Connection]:
    """A DBA's psql in a transaction that is rolled back after the test."""
    with shared_connection.transaction(force_rollback=True):
        yield shared_connection
