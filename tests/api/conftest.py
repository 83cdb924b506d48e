"""The API as its users meet it: Flask's test client over the test's database, logged in with the API's rights only."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask.testing import FlaskClient
from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import URL, Engine

from pyapi.api.app import create_app
from pyapi.database import connect_engine

NewEngine = Callable[..., Engine]
NewClient = Callable[..., FlaskClient]


def as_api(database: URL, options: str = "") -> URL:
    """The database as a connection that acts as pgreprise_api."""
    return database.update_query_dict({"options": f"-c role=pgreprise_api {options}"})


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
def shared_database(server: URL, new_database: Callable[..., DatabaseJanitor], template: str) -> Iterator[URL]:
    """One migrated database for all tests of a module whose requests are refused before they write."""
    with new_database(template) as made:
        yield server.set(database=made.dbname)


@pytest.fixture(scope="module")
def shared_client(shared_database: URL) -> Iterator[FlaskClient]:
    """A client of an API over the module's database."""
    engine = connect_engine(as_api(shared_database))
    yield create_app(engine).test_client()
    engine.dispose()
