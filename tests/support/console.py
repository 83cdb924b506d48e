"""The console as an operator's browser without a script meets it: pages, their links and their forms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import URL
from werkzeug.test import TestResponse

from pyapi.api.auth import Authentication
from pyapi.console import SignIn, register_console
from tests.support.api import api_over

__all__ = ["Operator", "Page", "console_over"]


@dataclass
class Form:
    """A form: where it is sent, and the fields that it has, with their values."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class _Reader(HTMLParser):
    """Reads what an operator uses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.links: list[str] = []
        self.forms: list[Form] = []
        self.heading = ""
        self._tag = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._tag = tag
        match tag:
            case "a":
                self.links.append(given.get("href") or "")
            case "form":
                self.forms.append(Form(given.get("action") or "", given.get("method") or "get"))
            case "input" | "select" | "textarea" if self.forms and given.get("name"):
                if given.get("type") != "checkbox":
                    self.forms[-1].fields[str(given["name"])] = given.get("value") or ""

    def handle_data(self, data: str) -> None:
        if self._tag == "h1" and not self.heading:
            self.heading = data.strip()
        self.text.append(data)


class Page:
    """What came back: the status, and the page's text, links and forms."""

    def __init__(self, response: TestResponse) -> None:
        self.response = response
        self.status = response.status_code
        self.path = response.request.full_path.rstrip("?")
        read = _Reader(response.text if response.mimetype == "text/html" else "")
        self.text = " ".join(" ".join(read.text).split())
        self.heading, self.links, self.forms = read.heading, read.links, read.forms

    def form(self, of: str) -> Form:
        """The form that is sent to a path that ends so."""
        [found] = [form for form in self.forms if form.action.endswith(of)]
        return found


class Operator:
    """A browser with its cookies."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def open(self, path: str, **more: Any) -> Page:
        """Open a page, and follow where it leads."""
        return Page(self.client.get(path, follow_redirects=True, **more))

    def send(self, form: Form, headers: dict[str, str] | None = None, **values: str) -> Page:
        """Send a form with these values filled in, and follow where it leads."""
        return Page(
            self.client.post(form.action, data={**form.fields, **values}, follow_redirects=True, headers=headers)
        )

    def sign_in(self, token: str) -> Page:
        """Sign in with a token."""
        return self.send(self.open("/console/sign-in").form("/sign-in"), token=token)


@contextmanager
def console_over(database: URL, verifier: Authentication | None = None, **sign_in: Any) -> Iterator[Operator]:
    """A console over a database; with a verifier it wants tokens."""
    console = partial(register_console, sign_in=SignIn(verifier, **sign_in))
    with api_over(database, verifier, console=console) as api:
        yield Operator(api.test_client())
