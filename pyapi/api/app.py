"""The Flask application. For each request it checks the input, calls one routine and builds the reply."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

import orjson
from flask import Flask, Response, request
from flask.json.provider import DefaultJSONProvider
from sqlalchemy import Engine
from werkzeug.exceptions import RequestEntityTooLarge

from pyapi.api.auth import Authentication, register_authentication
from pyapi.api.background import BACKGROUND, Background
from pyapi.api.browsers import ANY_ORIGIN, register_browsers
from pyapi.api.carbon import carbon
from pyapi.api.claims import claims
from pyapi.api.compression import register_compression
from pyapi.api.context import register_context
from pyapi.api.documentation import documentation
from pyapi.api.errors import register_error_handlers
from pyapi.api.health import NEEDS, Needs, health
from pyapi.api.history import history
from pyapi.api.invalidation import INVALIDATION, Invalidation
from pyapi.api.lists import lists
from pyapi.api.logs import register_access_log
from pyapi.api.paths import refuse_other_spellings, register_paths, register_prefix
from pyapi.api.replica import Replica, register_replica
from pyapi.api.reports import reports
from pyapi.api.requests import ENGINE
from pyapi.api.results import results
from pyapi.api.simulations import simulations
from pyapi.economy_cache import EconomyCache

__all__ = ["LARGEST_BODY_BYTES", "create_app"]

LARGEST_BODY_BYTES = 32 * 1024 * 1024


def _json(value: Any) -> Any:
    # Flask would use the format of HTTP headers, which has no fractions of a second.
    if isinstance(value, datetime):
        return value.isoformat()
    return DefaultJSONProvider.default(value)


class _Json(DefaultJSONProvider):
    """Keeps the order of keys (status, message, result; the order of a table's columns). Times are ISO 8601."""

    sort_keys = False
    default = staticmethod(_json)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """The reply with a value as JSON in UTF-8, which is written once: outputs are large."""
        value = self._prepare_response_obj(args, kwargs)
        try:
            body = orjson.dumps(value, default=_json, option=orjson.OPT_APPEND_NEWLINE)
        except TypeError:
            # An integer of more than 64 bits, or what an error tells of text that is not Unicode.
            body = f"{self.dumps(value, separators=(',', ':'))}\n".encode()
        return Response(body, mimetype=self.mimetype)


class _Application(Flask):
    """Flask, without a look at each function, for each request, whether it is a coroutine: none is."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself."""
        return func


def _forbid_sniffing(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _refuse_long_bodies() -> None:
    # Before it comes, and also where the route does not read it.
    if (request.content_length or 0) > LARGEST_BODY_BYTES:
        raise RequestEntityTooLarge


def create_app(
    engine: Engine,
    authentication: Authentication | None = None,
    *,
    economy_cache: EconomyCache | None = None,
    origins: Collection[str] = (),
    replica: Replica | None = None,
    metrics_token: str | None = None,
    prefix: str = "",
    proxies: int = 0,
    console: Callable[[Flask], None] | None = None,
) -> Flask:
    """The API for the database of ``engine``, which has autocommit (``connect_engine`` makes one).

    Without ``authentication`` every request acts as the local operator, who may do everything. With ``economy_cache``
    the application's cache in Redis forgets what a rerun has emptied. Web pages of ``origins`` may call the API.
    GETs go to the ``replica``, where there is one. With a ``metrics_token`` those who have it get the metrics. The
    paths are below ``prefix``, and so many ``proxies`` are believed what they say of a client. ``console`` registers
    the pages for operators, where there are any.
    The database and Redis are first used by the first request, so the API may start before them.
    Raises ValueError for every origin (``*``), or for proxies, without ``authentication``.
    """
    if authentication is None and ANY_ORIGIN in origins:
        raise ValueError("Without authentication every web page could act as the local operator.")
    if authentication is None and proxies:
        raise ValueError("Without authentication everybody who reaches the proxy could act as the local operator.")
    app = _Application(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY_BYTES
    # Flask's own replies to OPTIONS would not have the envelope.
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    register_paths(app)
    app.json = _Json(app)

    app.extensions[ENGINE] = engine
    app.extensions[NEEDS] = Needs.of_this_version()
    app.extensions[INVALIDATION] = Invalidation(economy_cache)
    app.extensions[BACKGROUND] = Background()
    for blueprint in (reports, results, lists, simulations, claims, history, carbon, health, documentation):
        app.register_blueprint(blueprint)
    if console is not None:
        console(app)
    register_context(app)
    register_access_log(app)
    if metrics_token is not None:
        # Its library learns when it is imported where processes share what they count.
        from pyapi.api.metrics import register_metrics

        register_metrics(app, engine, metrics_token)
    register_replica(app, replica)
    register_browsers(app, origins)
    register_compression(app)
    register_authentication(app, authentication, origins)
    app.before_request(refuse_other_spellings)
    app.before_request(_refuse_long_bodies)
    register_error_handlers(app)
    app.after_request(_forbid_sniffing)
    register_prefix(app, prefix, proxies)
    return app
