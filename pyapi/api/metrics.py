"""``GET /metrics``: the figures of this API and of its database, in the format of Prometheus.

Each worker process counts for itself, in files of a folder that all of them share; the one that is asked adds them up.
prometheus_client learns of the folder when it is imported, so this module is imported where metrics are on, and in a
process that has the folder in its environment (``pyapi.api.server``). What happened in the database is counted there,
so what a DBA does in psql is counted too; it is asked for at most every few seconds, however many monitors there are.
"""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from threading import Lock
from typing import Any

from flask import Blueprint, Flask, Response, current_app, g, request
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from pyapi import database
from pyapi.api.context import request_seconds, route
from pyapi.api.openapi import TEXT, describes

__all__ = ["DatabaseFigures", "register_metrics"]

metrics = Blueprint("metrics", __name__)

# The key of the token and of the figures in app.extensions.
_METRICS = "pgreprise.metrics"
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_KEPT_SECONDS = 15
_METHODS = {"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"}
_DESCRIPTIONS = {
    "pgreprise_reports": "Reports that wait, are computed, or failed.",
    "pgreprise_oldest_pending_seconds": "How long the report has waited that waits longest; 0 if none does.",
    "pgreprise_oldest_running_seconds": "How long the report has been computed that is computed longest.",
    "pgreprise_acts": "What was done to reports: reruns, undos and single steps.",
    "pgreprise_claims_open": "Reports that workers have claimed.",
    "pgreprise_claims_lapsed": "Claims whose lease is over, and which nobody has taken over.",
    "pgreprise_attempts": "Attempts of workers that are over, by how they ended.",
    "pgreprise_batches_unfinished": "Batches of reruns that are not finished.",
    "pgreprise_batches_standing_still": "Batches of which nothing was done for an hour.",
    "pgreprise_feed_unread": "Acts that no reader of the feed has seen.",
    "pgreprise_archive_bytes": "The size of the archive of earlier runs on disk.",
}

_requests = Counter("pgreprise_http_requests", "Requests that were answered.", ("route", "method", "status"))
_seconds = Histogram("pgreprise_http_request_seconds", "How long a request took.", ("route", "method"))
_refusals = Counter("pgreprise_refusals", "Requests that were refused or failed, by code.", ("code",))
_connections = Gauge(
    "pgreprise_pool_connections",
    "Connections to the database that requests use, and that each process may have at most, added up.",
    ("state",),
    multiprocess_mode="livesum",
)


class DatabaseFigures:
    """The figures of the database as a collector of prometheus_client; asked for again after some seconds."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._lock = Lock()
        self._asked_at: float | None = None
        self._rows: list[dict[str, Any]] | None = None

    def _current(self) -> list[dict[str, Any]] | None:
        with self._lock:
            if self._asked_at is None or self._clock() - self._asked_at >= _KEPT_SECONDS:
                try:
                    self._rows = database.call(self._engine, "public.rerun_metrics", is_reading=True)
                except (DBAPIError, NoConnectionError):
                    # The other figures are served without it, and pgreprise_up says so.
                    self._rows = None
                self._asked_at = self._clock()
            return self._rows

    def collect(self) -> Iterable[Metric]:
        """The figures by name. Without the database there is only pgreprise_up, which is 0."""
        rows = self._current()
        info = GaugeMetricFamily("pgreprise_info", "The version of this API.", labels=["version"])
        info.add_metric([version("pgreprise")], 1)
        yield info
        yield GaugeMetricFamily("pgreprise_up", "Whether the database answered.", 0 if rows is None else 1)
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for row in rows or ():
            name = row["metric"].removesuffix("_total")
            if name not in families:
                family = CounterMetricFamily if row["metric"].endswith("_total") else GaugeMetricFamily
                families[name] = family(name, _DESCRIPTIONS[name], labels=list(row["labels"]))
            families[name].add_metric([str(value) for value in row["labels"].values()], row["value"])
        yield from families.values()


def register_metrics(app: Flask, engine: Engine, token: str) -> None:
    """Count the requests of an application, and serve the figures to those who have the token."""
    app.extensions[_METRICS] = (token, DatabaseFigures(engine))
    app.register_blueprint(metrics)
    _connections.labels("most").set(engine.pool.size())  # type: ignore[attr-defined]
    in_use = _connections.labels("in_use")
    event.listen(engine, "checkout", lambda *_: in_use.inc())
    event.listen(engine, "checkin", lambda *_: in_use.dec())

    @app.after_request
    def count(response: Response) -> Response:
        method = request.method if request.method in _METHODS else "other"
        # Not the path: it has ids, and anybody can invent paths.
        rule = route() or "none"
        _requests.labels(rule, method, response.status_code).inc()
        _seconds.labels(rule, method).observe(request_seconds())
        if "failure_code" in g:
            _refusals.labels(g.failure_code).inc()
        return response


@metrics.get("/metrics")
@describes(TEXT, is_enveloped=False, asks_database=False, is_open=True)
def get_metrics() -> Response:
    """The figures of this API and of its database, for Prometheus. They need the token of PGREPRISE_METRICS_TOKEN."""
    token, figures = current_app.extensions[_METRICS]
    sent = request.headers.get("Authorization", "")
    if not hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
        raise Unauthorized(
            "The metrics need the token of PGREPRISE_METRICS_TOKEN.", www_authenticate=WWWAuthenticate("bearer")
        )
    counted = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
    else:
        counted = REGISTRY
    stored = CollectorRegistry()
    stored.register(figures)
    return Response(generate_latest(counted) + generate_latest(stored), content_type=_CONTENT_TYPE)
