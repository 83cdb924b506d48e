"""A DBA moves logical shards from one server to another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import URL

from tests.support.moving import Fleet, fleet_of, make_templates


@pytest.fixture(scope="session", params=["ours", "real"])
def templates(
    request: pytest.FixtureRequest, server: URL, new_database: Callable[..., DatabaseJanitor]
) -> Iterator[dict[str, str]]:
    with ExitStack() as closing:
        yield make_templates(server, new_database, closing, request.param)


@pytest.fixture
def fleet(
    server: URL, new_database: Callable[..., DatabaseJanitor], templates: dict[str, str]
) -> Iterator[Fleet]:
    with fleet_of(server, new_database, templates, "ab") as made:
        made.did("prepare", "a")
        made.did("prepare", "b", "--empty")
        yield made


def test_all_rows_are_there_after_all_moves(fleet: Fleet) -> None:
    before = fleet.contents()
    done = fleet.move("0-63", "b")
    assert (done.returncode, done.stderr) == (0, "")
    assert fleet.contents() == before
    assert set(map(tuple, fleet.holders().values())) == {("b",)}
