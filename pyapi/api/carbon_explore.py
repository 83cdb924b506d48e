"""Routes of explore reports: get one, create one, or both. A stale report is sent first and refreshed then."""

from __future__ import annotations

import logging
from functools import partial
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pyapi import database
from pyapi.api.background import BACKGROUND, Background
from pyapi.api.carbon_requests import StoredCarbonReport
from pyapi.api.openapi import describes
from pyapi.api.requests import Reply, call, caller

__all__ = ["explore"]

logger = logging.getLogger(__name__)

explore = Blueprint("explore", __name__, url_prefix="/carbon-reports/simulator/explore")

_PATH = "/unit/<int:unit_id>/reference-year/<int:year>/"


@explore.get(_PATH, strict_slashes=False)
@describes(StoredCarbonReport, "RC001 RC002 RC003")
def get_explore_report(unit_id: int, year: int) -> Reply:
    """The explore report, or 404 when there is none. A stale report is refreshed after the reply."""
    [report] = call("public.get_explore_report", columns="(stored).*, is_stale", unit_id=unit_id, reference_year=year)
    return _shown(report), HTTPStatus.OK


@explore.post(_PATH, strict_slashes=False)
@describes({HTTPStatus.CREATED: StoredCarbonReport}, "RC001 RC002 RC004 RC008 RC017 RC019")
def create_explore_report(unit_id: int, year: int) -> Reply:
    """Create an empty explore report, or answer 409 when there is one."""
    [report] = call("public.create_explore_report", unit_id=unit_id, reference_year=year)
    return jsonify(report), HTTPStatus.CREATED


@explore.put(_PATH, strict_slashes=False)
@describes({HTTPStatus.OK: StoredCarbonReport, HTTPStatus.CREATED: StoredCarbonReport}, "RC001 RC002 RC008 RC017 RC019")
def get_or_create_explore_report(unit_id: int, year: int) -> Reply:
    """The explore report, which is created when there is none (201). A stale report is refreshed after the reply."""
    [report] = call(
        "public.get_or_create_explore_report",
        columns="(stored).*, is_stale, is_new",
        unit_id=unit_id,
        reference_year=year,
    )
    is_new = report.pop("is_new")
    return _shown(report), HTTPStatus.CREATED if is_new else HTTPStatus.OK


def _shown(report: dict[str, Any]) -> Response:
    """The reply with a report. When it is stale, its refresh is begun after the reply is sent."""
    is_stale = report.pop("is_stale")
    reply = jsonify(report)
    if is_stale:
        # By then the request is gone, so its claims are passed along.
        engine, claims = caller()
        background: Background = current_app.extensions[BACKGROUND]
        refresh = partial(_refresh, engine, claims, report["unit_id"], report["id"], report["year"])
        reply.call_on_close(partial(background.run, ("refresh", report["id"]), refresh))
    return reply


def _refresh(engine: Engine, claims: str | None, unit_id: int, old_report_id: int, reference_year: int) -> None:
    """Refresh a stale report with the claims of its reader. A failure is recorded, and the next reader tries again."""
    wanted: dict[str, Any] = {"unit_id": unit_id, "old_report_id": old_report_id, "reference_year": reference_year}
    try:
        database.call(engine, "public.refresh_explore_report", claims=claims, **wanted)
    except Exception as error:
        logger.exception("The refresh of explore report #%s of unit #%s failed.", old_report_id, unit_id)
        reason = error.orig if isinstance(error, DBAPIError) else error
        try:
            database.call(
                engine, "public.record_failed_refresh", claims=claims, **wanted, message=str(reason).splitlines()[0]
            )
        except Exception:
            logger.exception("That the refresh failed could not be recorded.")
