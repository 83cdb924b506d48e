"""The databases of both applications: small ones of ours, and the real ones where they are at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import URL

from pyapi.schema import migrate
from tests.support import carbon_host
from tests.support.databases import engine
from tests.support.report_host import load_host

_CARBON = "carbon "


@pytest.fixture(params=["ours", "real"])
def untouched(request: pytest.FixtureRequest, empty_database: URL) -> URL:
    """A report application's database of the test's own, without pgreprise."""
    load_host(request.param, empty_database)
    return empty_database


@pytest.fixture(params=carbon_host.HOSTS)
def carbon_host_name(request: pytest.FixtureRequest) -> str:
    """Each of the carbon calculator's databases in turn."""
    name: str = request.param
    return name


@pytest.fixture
def untouched_carbon(carbon_host_name: str, empty_database: URL) -> URL:
    """A carbon calculator's database of the test's own, without pgreprise."""
    carbon_host.load_carbon_host(carbon_host_name, empty_database)
    return empty_database


@pytest.fixture(scope="session")
def adopted_templates(server: URL, new_database: Callable[..., DatabaseJanitor]) -> Iterator[Callable[[str], str]]:
    """Gives the name of a host's database that pgreprise has adopted, for tests to clone; it is made once."""
    made: dict[str, str] = {}
    with ExitStack() as closing:

        def template(name: str) -> str:
            if name not in made:
                janitor = closing.enter_context(new_database())
                url = server.set(database=janitor.dbname)
                if name.startswith(_CARBON):
                    carbon_host.load_carbon_host(name.removeprefix(_CARBON), url)
                else:
                    load_host(name, url)
                migrate.upgrade(engine(url))
                made[name] = janitor.dbname
            return made[name]

        yield template


@pytest.fixture
def adopted(
    server: URL, new_database: Callable[..., DatabaseJanitor], adopted_templates: Callable[[str], str]
) -> Iterator[Callable[[str], URL]]:
    """Makes a clone of an adopted host: ``adopted("ours")``, ``adopted("real")``, ``adopted("carbon today")``, ..."""
    with ExitStack() as closing:

        def clone(name: str) -> URL:
            janitor = closing.enter_context(new_database(adopted_templates(name)))
            return server.set(database=janitor.dbname)

        yield clone


@pytest.fixture
def carbon(carbon_host_name: str, adopted: Callable[[str], URL]) -> URL:
    """A carbon calculator's database that pgreprise has adopted."""
    return adopted(_CARBON + carbon_host_name)
