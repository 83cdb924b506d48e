"""Routes of carbon reports: list, get and create reports; list their modules and set a module's status."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated, Any

from flask import Blueprint, jsonify
from pydantic import BeforeValidator, RootModel

from pyapi.api.carbon_requests import (
    UNUSABLE,
    CarbonBody,
    CarbonQuery,
    Module,
    StoredCarbonReport,
    body,
    carbon_project_type,
)
from pyapi.api.openapi import describes
from pyapi.api.requests import NoFields, Reply, call, no_query, optional_body

__all__ = ["reports"]

# In its one spelling, so not as 04.
_DIGITS = re.compile(r"0|[1-9][0-9]{0,17}")

reports = Blueprint("reports", __name__, url_prefix="/carbon-reports")


def _number(value: object) -> object:
    return int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value


# A whole number, also as a string of digits.
Whole = Annotated[int, BeforeValidator(_number)]


class NewCarbonReport(CarbonBody):
    """A report to create. Without carbon_project_id it belongs to the unit's project, which is created if needed."""

    unit_id: Whole
    year: Whole
    reference_year: Whole | None = None
    carbon_project_id: Whole | None = None


class NewCarbonReports(RootModel[list[dict[str, Any]]]):
    """Reports to create when they do not exist yet."""


class NewStatus(CarbonBody):
    """The status of a module: 0 not started, 1 in progress, 2 validated."""

    status: int


@reports.get("/unit/<int:unit_id>/", strict_slashes=False)
@describes(list[StoredCarbonReport], "RC001 RC002")
def list_reports(unit_id: int) -> Reply:
    """The unit's Calculator reports, ordered by year."""
    return jsonify(call("public.get_carbon_reports", unit_id=unit_id)), HTTPStatus.OK


@reports.get("/unit/<int:unit_id>/year/<int:year>/", strict_slashes=False)
@describes(StoredCarbonReport, "RC001 RC002 RC003")
def get_report_of_year(unit_id: int, year: int) -> Reply:
    """The unit's Calculator report of a year."""
    [report] = call("public.get_carbon_report_of_year", unit_id=unit_id, year=year)
    return jsonify(report), HTTPStatus.OK


@reports.post("/", strict_slashes=False)
@describes(
    {HTTPStatus.CREATED: StoredCarbonReport},
    "RC001 RC002 RC004 RC008 RC017 RC019",
    body=NewCarbonReport,
    unusable=UNUSABLE,
)
def create_report() -> Reply:
    """Create a Calculator report with all its modules, or answer 409 when there is one of that year.

    With carbon_project_id it belongs to that project of the unit, of whatever type. The query is not read.
    """
    wanted = body(NewCarbonReport)
    [report] = call("public.create_carbon_report", **wanted.model_dump())
    return jsonify(report), HTTPStatus.CREATED


@reports.post("/bulk", strict_slashes=False)
@describes(
    {HTTPStatus.CREATED: list[StoredCarbonReport]},
    "RC001 RC002 RC008 RC017 RC019",
    body=NewCarbonReports,
    unusable=UNUSABLE,
)
def create_reports() -> Reply:
    """Create those Calculator reports of the list that do not exist yet, and return the created ones."""
    wanted = body(NewCarbonReports)
    created = call("public.bulk_upsert_carbon_reports", reports=wanted.model_dump_json())
    return jsonify(created), HTTPStatus.CREATED


@reports.get("/<int:report_id>", strict_slashes=False)
@describes(StoredCarbonReport, "RC002 RC003")
def get_report(report_id: int) -> Reply:
    """The report. It may have any type."""
    [report] = call("public.get_carbon_report", report_id=report_id)
    return jsonify(report), HTTPStatus.OK


@reports.post("/<int:report_id>/convert", strict_slashes=False)
@describes(StoredCarbonReport, "RC002 RC003 RC004 RC008 RC017 RC019", body=NoFields, is_body_optional=True)
def convert_report(report_id: int) -> Reply:
    """Make a plan of an explore report, with its modules and entries."""
    # Clients add it to every request, and the report itself tells its type.
    no_query("carbon_project_type")
    optional_body(NoFields)
    [report] = call("public.convert_explore_report", report_id=report_id)
    return jsonify(report), HTTPStatus.OK


@reports.get("/<int:report_id>/modules/", strict_slashes=False)
@describes(list[Module], "RC002 RC003 RC005", query=CarbonQuery, unusable=UNUSABLE)
def list_modules(report_id: int) -> Reply:
    """The report's modules, ordered by type."""
    found = call("public.get_carbon_report_modules", report_id=report_id, carbon_project_type=carbon_project_type())
    return jsonify(found), HTTPStatus.OK


@reports.patch("/<int:report_id>/modules/<int:module_type_id>/status", strict_slashes=False)
@describes(Module, "RC002 RC003 RC005 RC006 RC017", body=NewStatus, query=CarbonQuery, unusable=UNUSABLE)
def set_status(report_id: int, module_type_id: int) -> Reply:
    """Set the status of a module, and return the module."""
    wanted = body(NewStatus)
    [module] = call(
        "public.set_carbon_module_status",
        report_id=report_id,
        module_type_id=module_type_id,
        status=wanted.status,
        carbon_project_type=carbon_project_type(),
    )
    return jsonify(module), HTTPStatus.OK
