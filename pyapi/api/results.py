"""Routes of results: the last good one of a report, and what differs between those of two runs."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from flask import Blueprint
from pydantic import BaseModel, Field

from pyapi.api.openapi import Stored, describes
from pyapi.api.requests import Reply, Text, Written, call, call_tagged, query, success, tagged

__all__ = ["Pair", "RunNumber", "differences", "results"]

results = Blueprint("results", __name__)

_LARGEST_PAGE = 1000
# Any number of a path, or of a query: the database says which runs a report has.
RunNumber = Annotated[int, Written, Field(ge=0, le=2**63 - 1)]


class LastGood(Stored):
    """The newest complete result of a report, and the newer run, where there is one. output is JSON text."""

    report_id: int
    country_id: str
    run_sequence: int
    is_current: bool
    api_version: str
    is_stale: bool | None
    output: str
    pending_since: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    attempt: int | None
    newer_run_sequence: int | None
    newer_status: str | None
    newer_since: datetime | None


class Pair(BaseModel):
    """The two runs that are compared, and which of their differences are listed."""

    run_sequence: Annotated[RunNumber, Field(description="The first run: the one before.")]
    other_run_sequence: Annotated[RunNumber, Field(description="The other run: the one after.")]
    after_path: Annotated[Text, Field(description="The next page: differences after this path.")] = None  # type: ignore[assignment]
    max_rows: Annotated[int, Written, Field(ge=1, le=_LARGEST_PAGE, description="The length of a page.")] = 1000


class Difference(Stored):
    """A place that differs. Its path is a JSON pointer; a value is JSON text, null where the place does not exist."""

    path: str
    change: Literal["added", "removed", "changed"]
    old_value: str | None
    new_value: str | None


def differences(country_id: str, report_id: int, **wanted: Any) -> list[dict[str, Any]]:
    """The rows of compare_runs for a Pair, with the values as text, so that no number loses digits."""
    return call(
        "public.compare_runs",
        columns="path, change, old_value::text, new_value::text",
        report_id=report_id,
        country_id=country_id,
        **wanted,
    )


@results.get("/<country_id>/report/<int:report_id>/runs/last-good")
@describes(LastGood, "RR001 RR008 RR019", is_tagged=True)
def last_good(country_id: str, report_id: int) -> Reply:
    """The newest run of the report that has a complete output, which may be an earlier one.

    It is what an application shows while a newer run is pending or running, and after that has failed.
    """
    found, tag = call_tagged("public.last_good_report", report_id=report_id, country_id=country_id)
    return tagged("Run found", found, tag)


@results.get("/<country_id>/report/<int:report_id>/runs/compare")
@describes({HTTPStatus.OK: list[Difference]}, "RR001 RR008 RR016 RR019", query=Pair)
def compare_runs(country_id: str, report_id: int) -> Reply:
    """What differs between the outputs of two runs of the report, as JSON.

    The next page begins after the path of the last difference.
    """
    found = differences(country_id, report_id, **query(Pair).model_dump(exclude_unset=True))
    return success("Runs compared", found)
