"""The API as its users meet it: Flask's test client over the test's database, logged in with the API's rights only."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from sqlalchemy import URL, Engine

from pyapi.api.app import create_app
from pyapi.database import connect_engine
from tests.support.api import NewClient, NewEngine, api_over, as_api


@pytest.fixture
def new_engine(database: URL) -> Iterator[NewEngine]:
    """Makes engines that act as pgreprise_api; ``new_engine("-c lock_timeout=1s")`` adds settings."""
    made: list[Engine] = []

    def make(options: str = "") -> Engine:
        made.append(connect_engine(as_api(database, options)))
        return made[-1]

    yield make
    for engine in made:
        engine.dispose()


@pytest.fixture
def new_client(new_engine: NewEngine) -> NewClient:
    """Makes clients of an API; settings as for ``new_engine``."""
    return lambda options="": create_app(new_engine(options)).test_client()


@pytest.fixture
def client(new_client: NewClient) -> FlaskClient:
    """A client of the API."""
    return new_client()


@pytest.fixture(scope="module")
def shared_client(shared_database: URL) -> Iterator[FlaskClient]:
    """A client of an API over the module's database."""
    with api_over(shared_database) as api:
        yield api.test_client()
