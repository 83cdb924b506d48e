"""People at a browser: Debian's Chromium without a window, driven by Playwright.

A visitor is somebody with cookies of their own. Whatever a browser complains of while they look around, and nobody
announced, fails the test at its end: see ``Visitor.problems``.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.support.projects import PROJECT

if TYPE_CHECKING:
    from playwright.sync_api import (
        Browser,
        BrowserContext,
        ConsoleMessage,
        Error,
        Page,
        Request,
        Response,
        WebError,
        expect,
    )
else:
    # Where there is no Playwright, needs("browser") skips the tests.
    try:
        from playwright.sync_api import Error, Page, expect
    except ImportError:
        Error = Page = expect = None

__all__ = ["AXE", "PHONE", "SCREEN", "Page", "Visitor", "absent", "expect", "started", "write_picture"]

# CSS pixels.
SCREEN = (1200, 800)
PHONE = (360, 740)

AXE = PROJECT / "tests" / "console" / "node_modules" / "axe-core" / "axe.min.js"
# The success criteria of WCAG 2.0 to 2.2, levels A and AA, by axe's names.
_WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
# Details of what is right would take most of the time.
_RUN_AXE = "tags => axe.run({runOnly: {type: 'tag', values: tags}, resultTypes: ['violations'], preload: false})"

_OPTIONS = (
    # Chromium's own sandbox needs rights that a container does not give.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # What a page asks of another host fails, and leaves the machine in no case.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
# Chromium's words on a page; the reply or the request that it means is a problem by itself.
_SAID_OF_A_REPLY = "Failed to load resource:"
# The browser gave the request up itself, as for a download or when the page was left.
_GIVEN_UP = "net::ERR_ABORTED"
_TELL_VIOLATIONS = """
addEventListener('securitypolicyviolation', violation =>
  console.error(`${violation.effectiveDirective} forbids ${violation.blockedURI || 'it'}`))
"""


def _program() -> str | None:
    """Where Chromium is, with or without windows."""
    return shutil.which("chromium-headless-shell") or shutil.which("chromium")


def absent() -> str | None:
    """Why no browser can be started, or None."""
    if _program() is None:
        return "there is no Chromium; Debian's package chromium-headless-shell has it"
    return "Playwright is not installed; `make browser` does it" if expect is None else None


@contextmanager
def started() -> Iterator[Browser]:
    """A browser; it ends with the block."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Ctrl-C ends pytest, and that ends the browser.
        browser = playwright.chromium.launch(
            executable_path=_program(), args=_OPTIONS, handle_sigint=False, handle_sigterm=False, handle_sighup=False
        )
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """Somebody who looks at the pages of one site: ``visitor.page.goto("/docs")``.

    Without ``javascript`` they have switched it off; a ``size`` is in CSS pixels; ``dark`` is the colour scheme that
    they prefer. Whatever else ``Browser.new_context`` takes may be given, too. Nobody waits long: an action or an
    expectation that is not met fails after ten seconds.
    """

    def __init__(
        self,
        browser: Browser,
        url: str,
        *,
        javascript: bool = True,
        size: tuple[int, int] = SCREEN,
        dark: bool = False,
        **options: Any,
    ) -> None:
        self.context: BrowserContext = browser.new_context(
            base_url=url,
            java_script_enabled=javascript,
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            **options,
        )
        self.context.set_default_timeout(10_000)
        self._host = urlsplit(url).netloc
        self._javascript = javascript
        self._complaints: list[str] = []
        self._refusals: list[tuple[int, str]] = []
        self._expected: Counter[int] = Counter()
        self.context.add_init_script(_TELL_VIOLATIONS)
        self.context.on("console", self._on_console)
        self.context.on("weberror", self._on_error)
        self.context.on("request", self._on_request)
        self.context.on("requestfailed", self._on_failure)
        self.context.on("response", self._on_reply)
        self.page: Page = self.context.new_page()

    def expects(self, *statuses: int) -> None:
        """Announce replies of 400 or more: each status is one reply that is to come, in any order."""
        self._expected.update(statuses)

    def problems(self) -> list[str]:
        """What went wrong in this visitor's pages until now.

        That is: each error in the console, of a script, or of the Content-Security-Policy; each request that failed or
        asked another host; each reply of 400 or more that was not announced, and each that was and did not come.
        """
        for page in self.context.pages:
            # The browser tells things in their order, so before its answer to this; a page that is being left has none.
            with suppress(Error):
                page.wait_for_load_state()
                page.evaluate("1")
        left = self._expected.copy()
        unannounced = []
        for status, said in self._refusals:
            left[status] -= 1
            if left[status] < 0:
                unannounced.append(said)
        missing = [f"no reply was {status}, as announced" for status, count in left.items() for _ in range(count)]
        return [*self._complaints, *unannounced, *missing]

    def violations(self, page: Page | None = None) -> list[str]:
        """What axe-core finds wrong with a page by WCAG 2.0 to 2.2, A and AA: a line for each element and rule."""
        assert self._javascript, "axe-core is JavaScript: let a visitor with JavaScript look at the page"
        page = page or self.page
        # A script in the page would need the leave of its Content-Security-Policy; what a debugger types does not.
        page.evaluate(AXE.read_text("utf-8"))
        found = page.evaluate(_RUN_AXE, _WCAG)
        return [
            f"{rule['id']} ({rule['impact']}): {' '.join(map(str, node['target']))}: "
            f"{' '.join(node['failureSummary'].split())} {json.dumps(node['html'])} {rule['helpUrl']}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]

    def check_accessibility(self, page: Page | None = None) -> None:
        """Fail with all violations of a page where it has any."""
        violations = self.violations(page)
        assert not violations, "\n".join(violations)

    def close(self) -> None:
        """Close all their pages."""
        self.context.close()

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(_SAID_OF_A_REPLY):
            self._complaints.append(f"console of {message.location['url']}: {message.text}")

    def _on_error(self, error: WebError) -> None:
        self._complaints.append(f"script: {error.error}")

    def _on_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("about", "blob", "data") and address.netloc != self._host:
            self._complaints.append(f"asked another host: {request.method} {request.url}")

    def _on_failure(self, request: Request) -> None:
        if request.failure != _GIVEN_UP:
            self._complaints.append(f"failed: {request.method} {request.url}: {request.failure}")

    def _on_reply(self, response: Response) -> None:
        if response.status >= 400:
            self._refusals.append((response.status, f"{response.status}: {response.request.method} {response.url}"))


def write_picture(page: Page, path: Path) -> None:
    """Write what a page shows as a PNG of the visitor's size."""
    page.screenshot(path=path, animations="disabled", caret="hide", scale="css")
