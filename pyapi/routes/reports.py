"""Reports: read one, get or create one, update one, rerun one."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint

from pyapi.routes.requests import Body, Reply, RowId, Text, Update, body, call, call_procedure, success

__all__ = ["reports"]

reports = Blueprint("reports", __name__)


class NewReport(Body):
    """The key of a report; without a year it is of the current calendar year."""

    simulation_1_id: RowId
    simulation_2_id: RowId | None = None
    year: Text | None = None


@reports.post("/<country_id>/report")
def create_report(country_id: str) -> Reply:
    """The newest current report of these simulations and year: 201 when it had to be created, else 200."""
    wanted = body(NewReport)
    [report] = call(
        "public.get_or_create_report",
        columns="(stored).*, created",
        country_id=country_id,
        **wanted.model_dump(),
    )
    if report.pop("created"):
        return success("Report created successfully", report, HTTPStatus.CREATED)
    return success("Report already exists", report)


@reports.get("/<country_id>/report/<int:report_id>")
def get_report(country_id: str, report_id: int) -> Reply:
    """The stored report."""
    [report] = call("public.get_report", report_id=report_id, country_id=country_id)
    return success("Report found", report)


@reports.patch("/<country_id>/report")
def update_report(country_id: str) -> Reply:
    """Write the values that are given and not null, and return the report."""
    update = body(Update)
    [report] = call(
        "public.update_report",
        report_id=update.id,
        country_id=country_id,
        **update.model_dump(exclude={"id"}),
    )
    return success("Report updated successfully", report)


@reports.post("/<country_id>/report/<int:report_id>/rerun")
def rerun_report(country_id: str, report_id: int) -> Reply:
    """Put the report and its simulations back to pending and drop its economy cache rows."""
    result = call_procedure("public.rerun_report", report_id=report_id, country_id=country_id)
    return success("Report rerun reset successfully", result)
