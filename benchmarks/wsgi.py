"""The application as a WSGI server loads it, and a route that returns a constant. BENCH_DATABASE is the URL."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from flask import Response
from sqlalchemy import make_url

from pyapi.api.app import create_app
from pyapi.database import connect_engine

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

__all__ = ["app", "in_turn"]

# As many connections as each process of `serve` has by default.
app = create_app(connect_engine(make_url(os.environ["BENCH_DATABASE"]), pool_size=8))


@app.get("/constant")
def constant() -> Response:
    """What Flask and the server cost by themselves."""
    return Response('{"status":"ok"}', mimetype="application/json")


def in_turn() -> WSGIApplication:
    """The application as `serve` runs it."""
    # Other servers are measured without gevent.
    from pyapi.api import turns

    return turns.in_turn(app)
