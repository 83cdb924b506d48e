"""The API in this process, over a database in which it has its own rights only."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import URL, Engine

from pyapi.api.app import create_app
from pyapi.api.auth import Authentication
from pyapi.api.background import BACKGROUND, Background
from pyapi.database import connect_engine
from pyapi.economy_cache import EconomyCache

NewEngine = Callable[..., Engine]
NewClient = Callable[..., FlaskClient]


def as_api(database: URL, options: str = "") -> URL:
    """The database as a connection that acts as pgreprise_api."""
    return database.update_query_dict({"options": f"-c role=pgreprise_api {options}"})


class AtOnce(Background):
    """Does at once what is left to be done after a reply, so that a test finds it done."""

    def run(self, key: Hashable, task: Callable[[], None]) -> None:  # noqa: ARG002
        task()


@contextmanager
def api_over(
    database: URL,
    verifier: Authentication | None = None,
    *,
    options: str = "",
    economy_cache: EconomyCache | None = None,
    origins: tuple[str, ...] = (),
    console: Callable[[Flask], None] | None = None,
) -> Iterator[Flask]:
    """An API over a database; with a verifier it wants tokens."""
    engine = connect_engine(as_api(database, options))
    try:
        app = create_app(engine, verifier, economy_cache=economy_cache, origins=origins, console=console)
        app.extensions[BACKGROUND] = AtOnce()
        yield app
    finally:
        engine.dispose()
