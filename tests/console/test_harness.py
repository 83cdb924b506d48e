"""Somebody reads the API's documentation in a browser, and the tests of the console notice what goes wrong there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import PHONE, SCREEN, Visitor, expect
from tests.support.sites import WITH_TOKENS, Site

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.needs("browser")

# --- the documentation -----------------------------------------------------------------------


# The page is long.
@pytest.mark.needs("axe", "time")
@pytest.mark.parametrize(("size", "dark"), [(SCREEN, False), (PHONE, True)], ids=["screen", "dark phone"])
def test_the_documentation_is_accessible(
    new_visitor: Callable[..., Visitor], size: tuple[int, int], dark: bool
) -> None:
    visitor = new_visitor(size=size, dark=dark)
    visitor.page.goto("/docs")
    expect(visitor.page).to_have_title("pgreprise 0.1.0")
    visitor.check_accessibility()
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_the_documentation_needs_no_javascript(new_visitor: Callable[..., Visitor]) -> None:
    page = new_visitor(javascript=False).page
    page.goto("/docs")
    page.get_by_role("link", name="openapi.json").click()
    assert page.url.endswith("/openapi.json")


# --- sites -----------------------------------------------------------------------------------


def test_a_site_with_tokens_answers_those_who_have_one(
    site_with_tokens: Site, new_visitor: Callable[..., Visitor]
) -> None:
    stranger = new_visitor(site_with_tokens)
    stranger.expects(401)
    stranger.page.goto("/us/report/2")
    for token, status in [
        (site_with_tokens.token("reports:read"), 200),
        (site_with_tokens.token("carbon:read"), 403),
        (site_with_tokens.token("reports:read", exp=time.time() - 3600), 401),
    ]:
        reply = stranger.context.request.get("/us/report/2", headers={"Authorization": f"Bearer {token}"})
        assert reply.status == status


def test_a_site_of_a_tests_own_has_data_of_its_own(
    site: Site, new_site: Callable[..., Site], new_visitor: Callable[..., Visitor]
) -> None:
    own = new_site("--workers", "1", **WITH_TOKENS)
    assert own.database != site.database
    reader = new_visitor(own, extra_http_headers={"Authorization": f"Bearer {own.token('reports:read')}"})
    reader.page.goto("/us/report/2")
    expect(reader.page.get_by_text("complete").first).to_be_visible()


# --- a page with something wrong -------------------------------------------------------------

PAGES = {
    "/good": "<p>Good.",
    "/console-error": "<script>console.error('so it is')</script>",
    "/script-error": "<script>nothing.at.all</script>",
    "/missing": "<img alt=a src=/nowhere>",
    "/broken": "<img alt=a src=/lost>",
    "/elsewhere": "<img alt=a src=http://example.org/a.png>",
    "/strict": "<meta http-equiv=Content-Security-Policy content=\"style-src 'none'\"><p style='color: red'>Red.",
    "/pale": "<p style='color: #ccc'>Pale.",
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        # A reply that never comes.
        if self.path == "/lost":
            return
        self.send_response(200 if self.path in PAGES else 404)
        self.end_headers()
        self.wfile.write(f"<!doctype html><html lang=en><title>x</title><main>{PAGES.get(self.path, '')}".encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def bad_site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def careless(browser: Browser, bad_site: str) -> Iterator[Visitor]:
    """A visitor whose problems fail no test."""
    visitor = Visitor(browser, bad_site)
    yield visitor
    visitor.close()


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/console-error", "console of *: so it is"),
        ("/script-error", "script: *nothing is not defined"),
        ("/missing", "404: GET */nowhere"),
        ("/nowhere", "404: GET */nowhere"),
        ("/broken", "failed: GET */lost: net::ERR_EMPTY_RESPONSE"),
        ("/elsewhere", "asked another host: GET http://example.org/a.png"),
        ("/strict", "*style-src*"),
    ],
)
def test_a_problem_of_a_page_is_noticed(careless: Visitor, path: str, problem: str) -> None:
    careless.page.goto(path)
    assert any(fnmatch(found, problem) for found in careless.problems()), careless.problems()


def test_a_reply_that_was_announced_is_no_problem_once(careless: Visitor) -> None:
    careless.page.goto("/good")
    assert careless.problems() == []
    careless.expects(404)
    assert careless.problems() == ["no reply was 404, as announced"]
    careless.page.goto("/nowhere")
    assert careless.problems() == []
    careless.page.goto("/nowhere-either")
    assert [problem.rpartition("/")[2] for problem in careless.problems()] == ["nowhere-either"]


@pytest.mark.needs("axe")
def test_a_pale_text_is_a_violation(careless: Visitor) -> None:
    careless.page.goto("/pale")
    [violation] = careless.violations()
    assert violation.startswith("color-contrast (serious): p: ")
    with pytest.raises(AssertionError, match="color-contrast"):
        careless.check_accessibility()
