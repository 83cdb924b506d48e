"""Routes of reports: get, create or update one; rerun one, list its runs, undo a rerun."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from flask import Blueprint, request
from pydantic import BaseModel, Field
from werkzeug.exceptions import BadRequest

from pyapi.api import acts, rows
from pyapi.api.context import reason
from pyapi.api.openapi import Stored, describes
from pyapi.api.requests import (
    Body,
    OpenBody,
    Reply,
    RowId,
    Text,
    body,
    call,
    call_tagged,
    no_query,
    optional_body,
    success,
    tagged,
)

__all__ = ["reports"]

reports = Blueprint("reports", __name__)


class NewReport(OpenBody):
    """The key of a report. Without a year it is the current calendar year."""

    simulation_1_id: RowId
    simulation_2_id: RowId | None = None
    year: Text | None = None


class Act(Body):
    """Why it is done: at most 1,000 characters, for the history. The header X-Reason is read where it is not given."""

    reason: Text | None = None


class SeenAct(Act):
    """With seen, the token of a preview, it is done only if nothing has moved since that preview."""

    seen: Text | None = None


class Undo(SeenAct):
    """With force, rows that have changed since the rerun are overwritten. This needs the scope reports:admin.

    With seen, the token of a preview of the undo, it is done only if nothing has moved since, with force too.
    """

    force: bool = False


class ActHeaders(BaseModel):
    """The headers that an act reads."""

    reason: Annotated[
        str | None,
        Field(alias="X-Reason", description="Why it is done, for the history; at most 1,000 characters, in UTF-8."),
    ] = None


class KeyedHeaders(ActHeaders):
    """The headers that an act reads which is done once for each key."""

    idempotency_key: Annotated[
        str | None,
        Field(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            pattern="^[^,]*$",
            description="Requests with the same key do it once. It holds no comma.",
        ),
    ] = None


ReportType = Literal["household", "geography"]


class StoredReport(rows.RunTimes):
    """A report as it is stored, with the times of its current run. output is JSON text."""

    id: int
    country_id: str
    simulation_1_id: int
    simulation_2_id: int | None
    api_version: str
    status: str
    output: str | None
    error_message: str | None
    year: str | None
    run_sequence: int
    report_kind: str | None
    report_spec_json: Any
    report_spec_schema_version: int | None
    report_spec_status: str | None
    active_run_id: str | None
    latest_successful_run_id: str | None
    requested_at: datetime | None


class CacheScope(Stored):
    """A scope of the economy cache that was emptied, for caches outside the database."""

    country_id: str
    baseline_policy_id: int
    reform_policy_id: int
    region: str
    dataset: str
    time_period: str
    api_version: str


class Rerun(Stored):
    """What a rerun did. The application shows the newest report of the same key, shown_report_id."""

    rerun_id: int
    report_id: int
    report_type: ReportType
    run_sequence: int
    simulation_ids: list[int]
    economy_cache_rows_deleted: int
    cache_scopes: list[CacheScope]
    same_key_report_ids: list[int]
    shown_report_id: int


class Touched(Stored):
    """A row that a rerun would touch or is near and kept, or the defect because of which it would be refused.

    seen, in the row of the report itself, is the token of the preview, for a rerun. A reference is a table of the
    application whose rows would be lost; it has no id and no status.
    """

    kind: Literal["report", "simulation", "reform_impact", "reference"]
    id: int | None
    status: str | None
    action: str
    output_bytes: int
    shared_with: list[int]
    errcode: Literal["RR002", "RR003", "RR004", "RR005", "RR006", "RR021", "RR033"] | None
    message: str | None
    hint: str | None
    seen: str | None


class Restored(Stored):
    """A thing that an undo would write or overwrite, and what stands in its way, or why the act cannot be undone.

    can_be_forced is null where nothing stands in its way. seen, in the first one, is the token of the preview, for the
    undo. A rerun is the one that cannot be undone, or another of its batch that relies on what it has reset.
    """

    kind: Literal["report", "simulation", "reform_impact", "rerun"]
    id: int
    status: str | None
    action: str
    obstacle: str | None
    can_be_forced: bool | None
    errcode: Literal["RR014"] | None
    message: str | None
    hint: str | None
    seen: str | None


class Run(rows.RunTimes):
    """A run of a report, its times, and what started it.

    A run that the application made by itself has no run_sequence.
    """

    run_sequence: int | None
    is_current: bool
    status: str
    had_output: bool
    has_output: bool
    error_message: str | None
    api_version: str
    started_by: str | None
    rerun_id: int | None
    ended_at: datetime | None
    restores_run: int | None
    undone_by: int | None
    purged_at: datetime | None
    actor: str | None
    session_role: str | None
    role_setting: str | None
    idempotency_key: str | None
    simulation_ids: list[int] | None
    economy_cache_rows_deleted: int | None
    batch_id: int | None
    reason: str | None
    request_id: str | None
    client_address: str | None
    host_run_id: str | None
    host_run_sequence: int | None


class RunOutput(rows.RunTimes):
    """The result of a run, and its times. output is JSON text."""

    report_id: int
    country_id: str
    run_sequence: int
    is_current: bool
    api_version: str
    status: str
    had_output: bool
    output: str | None
    error_message: str | None


class Undone(Stored):
    """What an undo restored."""

    undo_id: int
    rerun_id: int
    report_id: int
    report_type: ReportType | None
    run_sequence: int
    simulation_ids: list[int]
    economy_cache_rows_restored: int
    cache_scopes: list[CacheScope]


@reports.post("/<country_id>/report")
@describes(
    {HTTPStatus.OK: StoredReport, HTTPStatus.CREATED: StoredReport},
    "RR002 RR003 RR004 RR008 RR009 RR016 RR022 RR023 RR033 RR034",
    body=NewReport,
)
def create_report(country_id: str) -> Reply:
    """Return the newest current report of these simulations and year. Create it with 201 when there is none."""
    return rows.get_or_create("public.get_or_create_report", "report", country_id, body(NewReport))


@reports.get("/<country_id>/report/<int:report_id>")
@describes(StoredReport, "RR001 RR008", is_tagged=True)
def get_report(country_id: str, report_id: int) -> Reply:
    """The stored report."""
    return rows.get_tagged("public.get_report", report_id=report_id, country_id=country_id)


@reports.patch("/<country_id>/report")
@describes(StoredReport, "RR001 RR008 RR011 RR016 RR020 RR022 RR027 RR028 RR030 RR031", body=rows.Update)
def update_report(country_id: str) -> Reply:
    """Write the values that are not null, and return the report."""
    return rows.update("public.update_report", "report", country_id)


def idempotency_key() -> str | None:
    """Return the header Idempotency-Key. Raises BadRequest where it may have been sent twice: servers join the two."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and "," in key:
        raise BadRequest("The header Idempotency-Key is there twice, or has a comma. Nothing was done.")
    return key


@reports.post("/<country_id>/report/<int:report_id>/rerun")
@describes(
    Rerun,
    "RR001 RR002 RR003 RR004 RR005 RR006 RR008 RR012 RR014 RR016 RR021 RR022 RR023 RR029 RR033 RR034",
    body=SeenAct,
    is_body_optional=True,
    headers=KeyedHeaders,
)
def rerun_report(country_id: str, report_id: int) -> Reply:
    """Put the report and its simulations back to pending, and delete its economy cache rows.

    With an Idempotency-Key the report is rerun once, even when the request is sent again. With the token of a preview
    it is rerun only if nothing has moved since.
    """
    no_query()
    act = optional_body(SeenAct)
    result = acts.rerun_report(
        report_id=report_id,
        country_id=country_id,
        idempotency_key=idempotency_key(),
        reason=reason(act.reason),
        seen=act.seen,
    )
    return success("Report rerun reset successfully", result)


@reports.get("/<country_id>/report/<int:report_id>/rerun")
@describes(list[Touched], "RR001 RR008")
def preview_rerun(country_id: str, report_id: int) -> Reply:
    """The rows that a rerun would touch now, and the other reports that share them. Nothing is changed.

    The entry of the report has a token, seen. A rerun with this token is refused when something has moved since.
    """
    touched = call("public.rerun_preview", report_id=report_id, country_id=country_id)
    return success("Rerun previewed", touched)


@reports.get("/<country_id>/report/<int:report_id>/runs")
@describes(list[Run], "RR001 RR008")
def list_runs(country_id: str, report_id: int) -> Reply:
    """The runs of the report, newest first, including the current run."""
    runs = call("public.report_history", report_id=report_id, country_id=country_id)
    return success("Runs found", runs)


@reports.get("/<country_id>/report/<int:report_id>/runs/<int:run_sequence>")
@describes(RunOutput, "RR001 RR008 RR019", is_tagged=True)
def get_run(country_id: str, report_id: int, run_sequence: int) -> Reply:
    """The result of one run, which may be an earlier one."""
    of = {"report_id": report_id, "run_sequence": run_sequence, "country_id": country_id}
    run, tag = call_tagged("public.report_run_output", **of)
    return tagged("Run found", run, tag)


@reports.get("/<country_id>/report/<int:report_id>/reruns/<int:rerun_id>/undo")
@describes(list[Restored], "RR008 RR013")
def preview_undo(country_id: str, report_id: int, rerun_id: int) -> Reply:
    """What an undo of a rerun would write or overwrite now, and what stands in its way. Nothing is changed.

    The first entry has a token, seen. An undo with this token is refused when something has moved since.
    """
    things = call("public.undo_preview", rerun_id=rerun_id, report_id=report_id, country_id=country_id)
    return success("Undo previewed", things)


@reports.post("/<country_id>/report/<int:report_id>/reruns/<int:rerun_id>/undo")
@describes(
    Undone,
    "RR008 RR010 RR012 RR013 RR014 RR016 RR021 RR022 RR023 RR029 RR034",
    body=Undo,
    is_body_optional=True,
    headers=KeyedHeaders,
)
def undo_rerun(country_id: str, report_id: int, rerun_id: int) -> Reply:
    """Restore what a rerun of the report cleared, as a new run.

    With an Idempotency-Key the rerun is undone once, even when the request is sent again. With the token of a preview
    it is undone only if nothing has moved since.
    """
    no_query()
    undo = optional_body(Undo)
    result = acts.undo_rerun(
        rerun_id=rerun_id,
        report_id=report_id,
        country_id=country_id,
        force=undo.force,
        reason=reason(undo.reason),
        seen=undo.seen,
        idempotency_key=idempotency_key(),
    )
    return success("Rerun undone successfully", result)
