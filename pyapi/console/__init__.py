"""The operators' console: pages over the routines that the API calls, with the same tokens and scopes."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import NotFound

from pyapi.api.paths import CONSOLE
from pyapi.console import formats
from pyapi.console.acts import acts
from pyapi.console.batches import batches
from pyapi.console.carbon import carbon
from pyapi.console.defects import defects
from pyapi.console.doctor import doctor
from pyapi.console.errors import register_error_pages
from pyapi.console.history import history
from pyapi.console.overview import overview
from pyapi.console.pages import HEADERS, require_domain
from pyapi.console.remembered import REMEMBERED, Remembered
from pyapi.console.reports import reports
from pyapi.console.results import results
from pyapi.console.running import RUNNER, Runner
from pyapi.console.session import session
from pyapi.console.signing import SIGN_IN, SignIn, keep_form_key, let_in

__all__ = ["SignIn", "register_console"]

_PAGES = (overview, reports, results, acts, batches, history, defects, doctor, carbon, session)


def _guard(response: Response) -> Response:
    for name, value in HEADERS.items():
        # The stylesheet and the script may be kept; the browser asks whether they are still the same.
        if name != "Cache-Control" or request.endpoint != f"{CONSOLE}.static":
            response.headers[name] = value
    return response


def _no_such_page(path: str) -> str:  # noqa: ARG001
    raise NotFound("The console has no such page.")


def register_console(app: Flask, sign_in: SignIn) -> None:
    """Serve the console below /console. ``sign_in`` says how operators sign in."""
    console = Blueprint(
        CONSOLE,
        __name__,
        url_prefix=f"/{CONSOLE}",
        static_folder="static",
        template_folder="templates",
    )
    for blueprint in _PAGES:
        console.register_blueprint(blueprint)
    # Else the API would answer, which knows no operator.
    console.add_url_rule("/<path:path>", view_func=_no_such_page)
    app.extensions[SIGN_IN] = sign_in
    app.extensions[RUNNER] = Runner()
    app.extensions[REMEMBERED] = Remembered()
    app.jinja_env.filters.update(formats.FILTERS)
    console.before_request(let_in)
    console.before_request(require_domain)
    console.after_request(keep_form_key)
    console.after_request(_guard)
    register_error_pages(console)
    app.register_blueprint(console)
