"""Routes of explore reports: get one, create one. A stale report is sent first and refreshed then."""

from __future__ import annotations

import logging
from functools import partial
from http import HTTPStatus

from flask import Blueprint, jsonify
from sqlalchemy import Engine
from werkzeug.exceptions import NotFound

from pyapi import database
from pyapi.api.carbon_requests import StoredCarbonReport
from pyapi.api.openapi import describes
from pyapi.api.requests import Reply, call, caller

__all__ = ["explore"]

logger = logging.getLogger(__name__)

explore = Blueprint("explore", __name__, url_prefix="/carbon-reports/simulator/explore")

_PATH = "/unit/<int:unit_id>/reference-year/<int:year>/"


@explore.get(_PATH, strict_slashes=False)
@describes(StoredCarbonReport, "RC001 RC002")
def get_explore_report(unit_id: int, year: int) -> Reply:
    """The explore report, or 404 when there is none. A stale report is refreshed after the reply."""
    rows = call("public.get_explore_report", columns="(stored).*, is_stale", unit_id=unit_id, reference_year=year)
    if not rows:
        raise NotFound(f"Unit #{unit_id} has no explore report of {year}.")
    [report] = rows
    is_stale = report.pop("is_stale")
    reply = jsonify(report)
    if is_stale:
        # This runs after the reply is sent. Then the request is gone, so its claims are passed along.
        engine, claims = caller()
        reply.call_on_close(partial(_refresh, engine, claims, unit_id, report["id"], year))
    return reply, HTTPStatus.OK


@explore.post(_PATH, strict_slashes=False)
@describes({HTTPStatus.CREATED: StoredCarbonReport}, "RC001 RC002 RC004 RC008")
def create_explore_report(unit_id: int, year: int) -> Reply:
    """Create an empty explore report, or answer 409 when there is one."""
    [report] = call("public.create_explore_report", unit_id=unit_id, reference_year=year)
    return jsonify(report), HTTPStatus.CREATED


def _refresh(engine: Engine, claims: str | None, unit_id: int, old_report_id: int, reference_year: int) -> None:
    """Refresh a stale report with the claims of its reader. A failure is logged, and the next reader tries again."""
    try:
        database.call(
            engine,
            "public.refresh_explore_report",
            claims=claims,
            unit_id=unit_id,
            old_report_id=old_report_id,
            reference_year=reference_year,
        )
    except Exception:
        logger.exception("The refresh of explore report #%s of unit #%s failed.", old_report_id, unit_id)
