"""The application as a WSGI server loads it, and a route that returns a constant. BENCH_DATABASE is the URL."""

from __future__ import annotations

import os

from flask import Response
from sqlalchemy import make_url

from pyapi.api.app import create_app
from pyapi.database import connect_engine

__all__ = ["app"]

# As many connections as a worker has threads.
app = create_app(connect_engine(make_url(os.environ["BENCH_DATABASE"]), pool_size=8))


@app.get("/constant")
def constant() -> Response:
    """What Flask and the server cost by themselves."""
    return Response('{"status":"ok"}', mimetype="application/json")
