"""The page of defects: reports that cannot be rerun, cache rows that hide a failure, runs that nobody computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from flask import Blueprint
from pydantic import BaseModel, ConfigDict

from pyapi.api.requests import RowId, Text, Written, query
from pyapi.console.pages import Optional, Page, page, page_of, rows
from pyapi.console.remembered import remembered_first, remembered_rows

__all__ = ["defects"]

defects = Blueprint("defects", __name__, url_prefix="/defects")

_PAGE = 50
# What to do about a report with the defect.
_REMEDIES: Mapping[str, str] = {
    "RR002": "Let the application create the report again, with simulations of its country.",
    "RR003": "Create the report again with two of one kind. Correct a population_type that is clearly wrong.",
    "RR004": "Correct the population_type of the simulation.",
    "RR005": "Set the year where it is known. Otherwise create the report again.",
    "RR006": "pgreprise cache-version set COUNTRY --economy-impact VERSION",
    "RR033": "Create the report again with simulations of one population.",
    "RR021": "Delete those rows first, or let the constraint have no action. The report's message names it.",
}


class Wanted(BaseModel):
    """Which defects are listed, and whether everything is counted anew."""

    model_config = ConfigDict(extra="ignore")

    errcode: Annotated[Text | None, Optional] = None
    after_report_id: Annotated[RowId | None, Written, Optional] = None
    anew: bool = False


@defects.get("")
def show() -> Page:
    """The defects by kind, and those of one kind, a page at a time."""
    wanted = query(Wanted)
    found: list[dict[str, Any]] = []
    if wanted.errcode is not None:
        found = rows(
            "report_defects", errcode=wanted.errcode, after_report_id=wanted.after_report_id, max_rows=_PAGE + 1
        )
    found, next_id = page_of(found, "report_id", _PAGE)
    return page(
        "defects",
        wanted=wanted,
        remedies=_REMEDIES,
        found=found,
        next_id=next_id,
        counts=remembered_rows("defect_counts", anew=wanted.anew),
        failed=remembered_first("failed_cache_rows", _PAGE, anew=wanted.anew),
        mismatched=remembered_first("mismatched_cache_versions", _PAGE, anew=wanted.anew),
        lost=remembered_first("lost_runs", _PAGE, anew=wanted.anew),
        most=_PAGE,
    )
