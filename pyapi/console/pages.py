"""What all pages share: who is signed in and what they may do, the frame around a page, forms and their values."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
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
    "actor",
    "form",
    "go_to",
    "look_again",
    "may",
    "page",
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
# The key in app.extensions of the domains that the database has, and until when that is remembered.
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


def actor() -> str | None:
    """Who is signed in, by the name that the history has."""
    _scopes()
    name: str | None = g.console_actor
    return name


def _refresh_installed() -> None:
    """Ask which domains the database has, unless that was asked a moment ago."""
    until, _ = current_app.extensions.get(_INSTALLED, (0.0, None))
    if time.monotonic() < until:
        return
    [row] = call("pgreprise.status", columns="status")
    found = {name.partition("/")[0] for name in row["status"]["routines"]}
    current_app.extensions[_INSTALLED] = (time.monotonic() + _REMEMBERED_SECONDS, found)


def _has(room: str) -> bool:
    """Whether the database has what the pages of a room need. Where nobody has asked it yet, it has everything."""
    domain = _DOMAIN_OF.get(room, _REPORTS)
    return domain is None or _INSTALLED not in current_app.extensions or domain in current_app.extensions[_INSTALLED][1]


def require_domain() -> Page | Response | None:
    """Tell so where the database lacks the domain of a page. Without reports, carbon has the first page."""
    room = (request.blueprint or "").rpartition(".")[2]
    if _DOMAIN_OF.get(room, _REPORTS) is None:
        return None
    _refresh_installed()
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


def page(template: str, status: int = HTTPStatus.OK, **values: Any) -> Page:
    """A page in the frame of the console."""
    if status < HTTPStatus.BAD_REQUEST and g.get("claims") is not None:
        _scopes()
        _refresh_installed()
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
