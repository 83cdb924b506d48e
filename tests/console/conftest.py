"""The console as operators meet it.

In this process, as a browser without a script would; and in a real browser, from the product as a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import URL

from tests.support.browser import Visitor, started
from tests.support.console import Operator, console_over
from tests.support.databases import connect
from tests.support.samples import load_every_sample
from tests.support.sites import WITH_TOKENS, Site, serving
from tests.support.tokens import SECRET, authentication

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NewSite = Callable[..., Site]
NewVisitor = Callable[..., Visitor]


@pytest.fixture
def operator(database: URL) -> Iterator[Operator]:
    """Somebody at the machine itself, who may do everything, without a browser."""
    with console_over(database) as found:
        yield found


@pytest.fixture
def stranger(database: URL) -> Iterator[Operator]:
    """Somebody whom the console asks for a token, without a browser."""
    with console_over(database, authentication(jwt_secret=SECRET)) as found:
        yield found


# --- in a real browser -----------------------------------------------------------------------


@pytest.fixture(scope="session")
def sample_template(server: URL, new_database: Callable[..., DatabaseJanitor], template: str) -> Iterator[str]:
    """The name of a database with the sample of each domain, which sites clone."""
    with new_database(template) as made:
        with connect(server.set(database=made.dbname)) as connection:
            load_every_sample(connection)
        yield made.dbname


@pytest.fixture(scope="session")
def serve_sample(
    server: URL, new_database: Callable[..., DatabaseJanitor], sample_template: str
) -> Callable[..., Site]:
    """Serves a clone of the sample until a stack of contexts ends."""

    def serve(until: ExitStack, *arguments: str, **settings: str) -> Site:
        made = until.enter_context(new_database(sample_template))
        return until.enter_context(serving(server.set(database=made.dbname), *arguments, **settings))

    return serve


@pytest.fixture(scope="module")
def site(serve_sample: Callable[..., Site]) -> Iterator[Site]:
    """A site that the tests of a module share, without authentication."""
    with ExitStack() as until:
        yield serve_sample(until)


@pytest.fixture(scope="module")
def site_with_tokens(serve_sample: Callable[..., Site]) -> Iterator[Site]:
    """A site that the tests of a module share, where every request needs a token."""
    with ExitStack() as until:
        yield serve_sample(until, **WITH_TOKENS)


@pytest.fixture
def new_site(serve_sample: Callable[..., Site]) -> Iterator[NewSite]:
    """Makes sites of the test's own: ``new_site("--workers", "1", **WITH_TOKENS)``."""
    with ExitStack() as until:
        yield lambda *arguments, **settings: serve_sample(until, *arguments, **settings)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser of this test process."""
    with started() as browser:
        yield browser


@pytest.fixture
def new_visitor(request: pytest.FixtureRequest, browser: Browser) -> Iterator[NewVisitor]:
    """Makes visitors, of ``site`` or of another: ``new_visitor(site_with_tokens, size=PHONE, dark=True)``.

    The test fails at its end where one of them had problems.
    """
    visitors: list[Visitor] = []

    def make(at: Site | None = None, **options: Any) -> Visitor:
        visitors.append(Visitor(browser, (at or request.getfixturevalue("site")).url, **options))
        return visitors[-1]

    yield make
    problems = [problem for visitor in visitors for problem in visitor.problems()]
    for visitor in visitors:
        visitor.close()
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


@pytest.fixture
def visitor(new_visitor: NewVisitor) -> Visitor:
    """A visitor of ``site`` with JavaScript, a wide screen and a light colour scheme."""
    return new_visitor()
