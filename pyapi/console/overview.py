"""The first page: what waits, what failed, what was done in the last hours, what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import Blueprint, current_app
from werkzeug.wrappers import Response

from pyapi.api.health import NEEDS, Needs
from pyapi.batches import COLUMNS
from pyapi.console.doctor import findings
from pyapi.console.drawing import acts_chart
from pyapi.console.pages import Page, go_to, installed, may, page, rows
from pyapi.console.remembered import remembered_rows

__all__ = ["overview"]

overview = Blueprint("overview", __name__)

_HOURS = 24
_MOST_BATCHES = 20
# As text: a number would be sent as a bigint, and the parameter is an integer.
_MOST_CLAIMS = "20"


@overview.get("/")
def lead_here() -> Response:
    """The overview has one address."""
    return go_to("overview.show")


@overview.get("")
def show() -> Page:
    """The overview."""
    until = datetime.now(UTC)
    since = until.replace(minute=0, second=0, microsecond=0) - timedelta(hours=_HOURS - 1)
    status = installed()
    needs: Needs = current_app.extensions[NEEDS]
    return page(
        "overview",
        counts=remembered_rows("report_counts"),
        chart=acts_chart(rows("act_counts", since=since), until, _HOURS),
        defects=remembered_rows("defect_counts"),
        findings=findings() if may("admin") else None,
        batches=rows("rerun_batches", columns=COLUMNS, is_open=True, max_rows=_MOST_BATCHES),
        claims=rows("open_claims", max_rows=_MOST_CLAIMS),
        versions=rows("cache_versions"),
        revisions=status["revisions"],
        missing=needs.missing_from(set(status["revisions"]), status["routines"]),
    )
