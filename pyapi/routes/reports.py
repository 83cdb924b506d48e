"""Reports: read one, get or create one, update one; rerun one, look at its runs, take a rerun back."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, request

from pyapi.routes.requests import (
    Body,
    Reply,
    RowId,
    Text,
    Update,
    body,
    call,
    call_procedure,
    optional_body,
    success,
)

__all__ = ["reports"]

reports = Blueprint("reports", __name__)


class NewReport(Body):
    """The key of a report; without a year it is of the current calendar year."""

    simulation_1_id: RowId
    simulation_2_id: RowId | None = None
    year: Text | None = None


class Undo(Body):
    """Whether to overwrite what has moved on since; that takes the scope reports:admin."""

    force: bool = False


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
    """Put the report and its simulations back to pending and drop its economy cache rows.

    With an Idempotency-Key it is done once, however often the request is sent.
    """
    result = call_procedure(
        "public.rerun_report",
        report_id=report_id,
        country_id=country_id,
        idempotency_key=request.headers.get("Idempotency-Key"),
    )
    return success("Report rerun reset successfully", result)


@reports.get("/<country_id>/report/<int:report_id>/rerun")
def preview_rerun(country_id: str, report_id: int) -> Reply:
    """What a rerun would touch now, and which other reports share it; nothing is changed."""
    rows = call("public.rerun_preview", report_id=report_id, country_id=country_id)
    return success("Rerun previewed", rows)


@reports.get("/<country_id>/report/<int:report_id>/runs")
def list_runs(country_id: str, report_id: int) -> Reply:
    """The runs of the report, newest first, the current one included."""
    runs = call("public.report_history", report_id=report_id, country_id=country_id)
    return success("Runs found", runs)


@reports.get("/<country_id>/report/<int:report_id>/runs/<int:run_sequence>")
def get_run(country_id: str, report_id: int, run_sequence: int) -> Reply:
    """The result of one run, also of an earlier one."""
    [run] = call("public.report_run_output", report_id=report_id, run_sequence=run_sequence, country_id=country_id)
    return success("Run found", run)


@reports.post("/<country_id>/report/<int:report_id>/reruns/<int:rerun_id>/undo")
def undo_rerun(country_id: str, report_id: int, rerun_id: int) -> Reply:
    """Put back what a rerun of the report cleared, as a new run."""
    undo = optional_body(Undo)
    result = call_procedure(
        "public.undo_rerun", rerun_id=rerun_id, report_id=report_id, country_id=country_id, force=undo.force
    )
    return success("Rerun undone successfully", result)
