"""The first page: what waits, what failed, what was done in the last hours, what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import Blueprint
from werkzeug.wrappers import Response

from pyapi.console.drawing import acts_chart
from pyapi.console.pages import Page, go_to, page, rows

__all__ = ["overview"]

overview = Blueprint("overview", __name__)

_HOURS = 24


@overview.get("/")
def lead_here() -> Response:
    """The overview has one address."""
    return go_to("overview.show")


@overview.get("")
def show() -> Page:
    """The overview."""
    until = datetime.now(UTC)
    since = until.replace(minute=0, second=0, microsecond=0) - timedelta(hours=_HOURS - 1)
    return page(
        "overview",
        counts=rows("report_counts"),
        chart=acts_chart(rows("act_counts", since=since), until, _HOURS),
        batches=rows("rerun_batches", is_open=True, max_rows=20),
        claims=rows("open_claims", max_rows="20"),
        versions=rows("cache_versions"),
    )
