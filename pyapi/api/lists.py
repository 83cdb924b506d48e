"""Routes of lists of reports: by status, age, type, version and country."""

from __future__ import annotations

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Literal

from flask import Blueprint
from pydantic import BaseModel, ConfigDict, Field

from pyapi.api.openapi import Stored, describes
from pyapi.api.requests import Reply, RowId, Text, Written, call, query, success

__all__ = ["lists"]

lists = Blueprint("lists", __name__)

_LARGEST_PAGE = 1000
# A thousand years: PostgreSQL and Python know when that was.
_LONGEST_SECONDS = 365_000 * 86_400
Status = Literal["pending", "running", "complete", "error"]
ReportType = Literal["household", "geography"]


class Wanted(BaseModel):
    """Which reports are listed: those that meet every condition that is given."""

    model_config = ConfigDict(extra="forbid")

    status: Annotated[Status, Field(description="Reports of this status.")] = None  # type: ignore[assignment]
    older_than_seconds: Annotated[
        int,
        Written,
        Field(ge=0, le=_LONGEST_SECONDS, description="Pending, running or finished for longer than this."),
    ] = None  # type: ignore[assignment]
    report_type: Annotated[ReportType, Field(description="The population type of the first simulation.")] = None  # type: ignore[assignment]
    api_version: Annotated[Text, Field(description="Reports that this version computed.")] = None  # type: ignore[assignment]
    year: Annotated[Text, Field(description="Reports of this year.")] = None  # type: ignore[assignment]
    report_id: Annotated[RowId, Written, Field(description="This report only.")] = None  # type: ignore[assignment]
    after_report_id: Annotated[RowId, Written, Field(description="The next page: reports after this id.")] = None  # type: ignore[assignment]
    max_rows: Annotated[int, Written, Field(ge=1, le=_LARGEST_PAGE, description="The length of a page.")] = 100


class WantedAnywhere(Wanted):
    """As Wanted, of one country or of all."""

    country_id: Annotated[Text, Field(description="Reports of this country.")] = None  # type: ignore[assignment]


class Listed(Stored):
    """A report without its output, and the times of its current run. since is when its status began."""

    id: int
    country_id: str
    report_type: ReportType | None
    year: str | None
    api_version: str
    status: str
    error_message: str | None
    run_sequence: int
    simulation_1_id: int
    simulation_2_id: int | None
    pending_since: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    attempt: int | None
    since: datetime | None
    wait_seconds: float | None
    run_seconds: float | None


def _found(wanted: Wanted, **more: str) -> Reply:
    conditions = wanted.model_dump(exclude_unset=True)
    seconds = conditions.pop("older_than_seconds", None)
    if seconds is not None:
        conditions["older_than"] = timedelta(seconds=seconds)
    return success("Reports found", call("public.find_reports", **conditions, **more))


@lists.get("/reports")
@describes({HTTPStatus.OK: list[Listed]}, "RR008 RR016", query=WantedAnywhere)
def list_reports() -> Reply:
    """Reports of all countries by status, age, type and version, by id, without their outputs.

    The next page begins after the id of the last one.
    """
    return _found(query(WantedAnywhere))


@lists.get("/<country_id>/reports")
@describes({HTTPStatus.OK: list[Listed]}, "RR008 RR016", query=Wanted)
def list_reports_of_country(country_id: str) -> Reply:
    """Reports of a country by status, age, type and version, by id, without their outputs.

    The next page begins after the id of the last one.
    """
    return _found(query(Wanted), country_id=country_id)
