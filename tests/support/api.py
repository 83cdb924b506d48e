"""The API in this process, over a database in which it has its own rights only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import URL, Engine

from pyapi.api.app import create_app
from pyapi.api.auth import Authentication
from pyapi.database import connect_engine
from pyapi.economy_cache import EconomyCache

NewEngine = Callable[..., Engine]
NewClient = Callable[..., FlaskClient]


def as_api(database: URL, options: str = "") -> URL:
    """The database as a connection that acts as pgreprise_api."""
    return database.update_query_dict({"options": f"-c role=pgreprise_api {options}"})


@contextmanager
def api_over(
    database: URL,
    verifier: Authentication | None = None,
    *,
    options: str = "",
    economy_cache: EconomyCache | None = None,
) -> Iterator[Flask]:
    """An API over a database; with a verifier it wants tokens."""
    engine = connect_engine(as_api(database, options))
    try:
        yield create_app(engine, verifier, economy_cache=economy_cache)
    finally:
        engine.dispose()
