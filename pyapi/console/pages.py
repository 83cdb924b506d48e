"""What all pages share: who is signed in and what they may do, the frame around a page, forms and their values."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, TypeVar

from flask import current_app, g, redirect, render_template, request, url_for
from pydantic import BaseModel, BeforeValidator, ValidationError
from werkzeug.exceptions import BadRequest, Forbidden
from werkzeug.wrappers import Response

from pyapi.api.requests import call, problems
from pyapi.console.signing import form_token, may_sign_out

__all__ = [
    "HEADERS",
    "Optional",
    "Page",
    "form",
    "go_to",
    "installed",
    "look_again",
    "may",
    "page",
    "page_of",
    "paged",
    "require",
    "require_domain",
    "rows",
]

Page = tuple[str, int]
Model = TypeVar("Model", bound=BaseModel)


def _none_if_empty(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


# Of a parameter that a form sends also where nobody has filled it in.
Optional = BeforeValidator(_none_if_empty)

# The domain that the pages of a room need, None where they need none. All other rooms are about reports.
_DOMAIN_OF: Mapping[str, str | None] = {"carbon": "carbon", "console": None, "doctor": None, "session": None}
_REPORTS = "reports"
# The room whose link stands for a page that has none of its own.
_ROOM_OF: Mapping[str, str] = {"results": "reports"}
# The key in app.extensions of what the database has installed.
_INSTALLED = "pgreprise.console.installed"
_REMEMBERED_SECONDS = 10

# A page loads the console's own stylesheet and script, and sends forms to the console. Nothing else.
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # Outputs and names of people are kept nowhere, and a page that one goes back to looks again.
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    # With less, a browser would not say where a form comes from.
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


def _scopes() -> dict[str, bool]:
    if "console_scopes" not in g:
        found = call("public.caller_scopes")
        g.console_scopes = {row["scope"]: row["is_held"] for row in found}
        g.console_actor = found[0]["actor"]
    scopes: dict[str, bool] = g.console_scopes
    return scopes


def may(action: str) -> bool:
    """Whether the caller holds a scope of reports: read, write, work, rerun or admin. The database says so."""
    return _scopes().get(f"reports:{action}", False)


def require(action: str) -> None:
    """Raise Forbidden where the caller lacks a scope of reports, for what is shown without asking the database."""
    if not may(action):
        raise Forbidden(f"This page needs the scope reports:{action}.")


@dataclass(frozen=True)
class _Installed:
    """What pgreprise.status() has said, the domains in it, and until when that is remembered."""

    status: dict[str, Any]
    domains: Set[str]
    until: float


def installed() -> dict[str, Any]:
    """The revisions and routines that the database has, as pgreprise.status() says, or said a moment ago."""
    known: _Installed | None = current_app.extensions.get(_INSTALLED)
    if known is None or time.monotonic() >= known.until:
        [row] = call("pgreprise.status", columns="status")
        domains = {name.partition("/")[0] for name in row["status"]["routines"]}
        known = _Installed(row["status"], domains, time.monotonic() + _REMEMBERED_SECONDS)
        current_app.extensions[_INSTALLED] = known
    return known.status


def _has(room: str) -> bool:
    """Whether the database has what the pages of a room need. Where nobody has asked it yet, it has everything."""
    domain = _DOMAIN_OF.get(room, _REPORTS)
    known: _Installed | None = current_app.extensions.get(_INSTALLED)
    return domain is None or known is None or domain in known.domains


def require_domain() -> Page | Response | None:
    """Tell so where the database lacks the domain of a page. Without reports, carbon has the first page."""
    room = (request.blueprint or "").rpartition(".")[2]
    if _DOMAIN_OF.get(room, _REPORTS) is None:
        return None
    installed()
    if _has(room):
        return None
    if room == "overview" and _has("carbon"):
        return go_to("carbon.show_units")
    _scopes()
    return page("absent", HTTPStatus.NOT_FOUND, domain=_DOMAIN_OF.get(room, _REPORTS))


def _current_room() -> str:
    """The room that the navigation marks: a form about a report is among the reports, an act in the history."""
    room = (request.blueprint or "").rpartition(".")[2]
    if room == "acts":
        return "reports" if "report_id" in (request.view_args or {}) else "history"
    return _ROOM_OF.get(room, room)


def rows(routine: str, **arguments: Any) -> list[dict[str, Any]]:
    """The rows of a routine of the schema public."""
    return call(f"public.{routine}", **arguments)


def page_of(found: list[dict[str, Any]], key: str, most: int) -> tuple[list[dict[str, Any]], Any]:
    """The rows of a page, and after which ``key`` the next begins; None without a next. One row more was asked for."""
    return found[:most], found[most - 1][key] if len(found) > most else None


def paged(found: list[dict[str, Any]], given: dict[str, Any], place: str, key: str, most: int) -> dict[str, Any]:
    """The rows of a page, and the conditions that lead to its first and to the next one.

    ``place`` is the condition where a page begins: after or before the ``key`` of a row.
    """
    shown, following = page_of(found, key, most)
    return {
        "found": shown,
        "given": given,
        "first_page": {name: value for name, value in given.items() if name != place},
        "next_page": None if following is None else {**given, place: following},
        "is_first": place not in given,
    }


def page(template: str, status: int = HTTPStatus.OK, **values: Any) -> Page:
    """A page in the frame of the console."""
    if status < HTTPStatus.BAD_REQUEST and g.get("claims") is not None:
        _scopes()
        installed()
    # The page of an error does without: perhaps nobody is signed in, or the database is away.
    known = "console_scopes" in g
    frame = {
        "actor": g.console_actor if known else None,
        "may": may if known else lambda _action: False,
        "has": _has,
        "current_room": _current_room(),
        "form_token": form_token,
        "may_sign_out": may_sign_out(),
        "new_key": lambda: str(uuid.uuid4()),
        "now": datetime.now(UTC),
        "version": version("pgreprise"),
    }
    return render_template(f"console/{template}.html", **frame, **values), status


def form(model: type[Model]) -> Model:
    """The fields of the form that were filled in. Raises BadRequest when they do not fit ``model``."""
    given = {name: value.strip() for name, value in request.form.items() if value.strip()}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise BadRequest(f"The form cannot be used: {problems(error)}. Nothing was done.") from error


def go_to(endpoint: str, **values: Any) -> Response:
    """Go to a page of the console after a form."""
    return redirect(url_for(f"console.{endpoint}", **values), HTTPStatus.SEE_OTHER)


def look_again(endpoint: str, **values: Any) -> None:
    """Name the page that looks again, where the request is refused and that is not the page of its own path."""
    g.console_again = url_for(f"console.{endpoint}", **values)
