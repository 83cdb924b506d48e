"""Pages of reports: the list, and one report with what belongs to it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from flask import Blueprint
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DBAPIError
from werkzeug.wrappers import Response

from pyapi.api.lists import ReportType, Status
from pyapi.api.requests import RowId, Text, Written, call, query
from pyapi.console.drawing import linkage
from pyapi.console.pages import Optional, Page, go_to, page, paged, rows
from pyapi.database import sqlstate

__all__ = ["reports"]

reports = Blueprint("reports", __name__, url_prefix="/reports")

_PAGE = 50
_OF_BATCHES = ("country_id", "status", "report_type", "api_version", "year")
# The report has no run with a complete output.
_NO_RESULT = "RR019"


class Wanted(BaseModel):
    """Which reports are listed. Fields that are empty do not count."""

    model_config = ConfigDict(extra="ignore")

    report_id: Annotated[RowId | None, Written, Optional] = None
    country_id: Annotated[Text | None, Optional] = None
    status: Annotated[Status | None, Optional] = None
    report_type: Annotated[ReportType | None, Optional] = None
    api_version: Annotated[Text | None, Optional] = None
    year: Annotated[Text | None, Optional] = None
    older_than_minutes: Annotated[int | None, Field(ge=0, le=365_000 * 1_440), Written, Optional] = None
    after_report_id: Annotated[RowId | None, Written, Optional] = None


@reports.get("")
def show_list() -> Page | Response:
    """Reports that meet conditions, by id, a page at a time."""
    wanted = query(Wanted)
    conditions = wanted.model_dump(exclude_none=True)
    minutes = conditions.pop("older_than_minutes", None)
    if minutes is not None:
        conditions["older_than"] = timedelta(minutes=minutes)
    found = rows("find_reports", max_rows=_PAGE + 1, **conditions)
    if wanted.report_id is not None and len(found) == 1:
        return go_to("reports.show", country_id=found[0]["country_id"], report_id=wanted.report_id)
    given = wanted.model_dump(exclude_none=True)
    return page(
        "reports",
        **paged(found, given, "after_report_id", "id", _PAGE),
        countries=[row["country_id"] for row in rows("cache_versions")],
        is_filtered=bool(given.keys() - {"after_report_id"}),
        # What a batch knows, too.
        batch_filter={name: given[name] for name in _OF_BATCHES if name in given},
    )


def _last_good(of: dict[str, Any]) -> dict[str, Any] | None:
    """The newest complete result, without its output; None where there is none."""
    try:
        [found] = call("public.last_good_report", columns="run_sequence, is_stale, finished_at", **of)
    except DBAPIError as error:
        if sqlstate(error) != _NO_RESULT:
            raise
        return None
    return found


@reports.get("/<country_id>/<int:report_id>")
def show(country_id: str, report_id: int) -> Page:
    """One report: how it is now, what belongs to it, its runs, and what may be done."""
    of = {"report_id": report_id, "country_id": country_id}
    runs = rows("report_history", **of)
    [listed] = rows("find_reports", **of)
    touched = rows("rerun_preview", **of)
    return page(
        "report",
        report=listed,
        run=next(run for run in runs if run["is_current"]),
        runs=runs,
        touched=touched,
        picture=linkage(report_id, touched),
        attempts=rows("report_attempts", **of),
        last_good=_last_good(of),
        good_runs=[run["run_sequence"] for run in runs if run["has_output"] and run["run_sequence"] is not None],
    )
