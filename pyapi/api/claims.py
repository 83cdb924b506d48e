"""Routes of claims: workers take pending reports and finish them, people look at their attempts and cancel runs."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from flask import Blueprint
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.exceptions import BadRequest

from pyapi.api import acts, rows
from pyapi.api.context import reason
from pyapi.api.openapi import Stored, describes
from pyapi.api.reports import Act, KeyedHeaders, ReportType, StoredReport, idempotency_key
from pyapi.api.requests import (
    Body,
    NoFields,
    Reply,
    RowId,
    Text,
    Written,
    body,
    call,
    last_values,
    no_query,
    optional_body,
    problems,
    success,
)
from pyapi.api.simulations import StoredSimulation

__all__ = ["claims"]

claims = Blueprint("claims", __name__)

_LARGEST_PAGE = 1000
Seconds = Annotated[float, Field(ge=1, le=86_400)]


class NewClaim(Body):
    """Who claims, for how long it may be silent, and what: reports of a country and a type, or one report."""

    worker: Text
    lease_seconds: Seconds = 60
    country_id: Text | None = None
    report_type: Text | None = None
    report_id: RowId | None = None
    max_reports: Annotated[int, Field(ge=1, le=100)] = 1


class Heartbeat(Body):
    """How far the worker is, for people. Without lease_seconds the lease is as long as it was."""

    lease_seconds: Seconds | None = None
    progress: Annotated[float, Field(ge=0, le=1)] | None = None
    message: Text | None = None


class Finished(Body):
    """A result."""

    stored_as_sent: ClassVar[tuple[str, ...]] = ("output",)

    output: rows.Output


class Failed(Body):
    """Why it could not be computed."""

    error_message: Text


class FailedReport(Failed):
    """With retry_after_seconds the report may be claimed again after that time."""

    retry_after_seconds: Annotated[float, Field(ge=0, le=30 * 86_400)] | None = None


class RunAct(Act):
    """With run_sequence it is done only to that run, and not to one that has started since."""

    run_sequence: RowId | None = None


class Open(BaseModel):
    """Which open claims are listed."""

    model_config = ConfigDict(extra="forbid")

    country_id: Annotated[Text, Field(description="Claims of reports of this country.")] = None  # type: ignore[assignment]
    after_report_id: Annotated[RowId, Written, Field(description="The next page: reports after this one.")] = None  # type: ignore[assignment]
    max_rows: Annotated[int, Written, Field(ge=1, le=_LARGEST_PAGE, description="The length of a page.")] = 100


class GivenSimulation(Stored):
    """A simulation of a claim. The worker computes those with computes, and finishes them before the report."""

    simulation_id: int
    run_sequence: int
    status: str
    policy_id: int
    population_id: str
    population_type: str
    computes: bool


class Claim(Stored):
    """What a worker has claimed. lease_seconds_left counts from the reply on."""

    claim_id: UUID
    report_id: int
    country_id: str
    run_sequence: int
    attempt: int
    worker: str
    lease_until: datetime
    lease_seconds_left: float
    report_type: ReportType
    year: str | None
    region: str | None
    report_spec_json: Any
    simulations: list[GivenSimulation]


class Lease(Stored):
    """Until when the worker may be silent. Where cancel_requested is true, it stops and gives its claim back."""

    lease_until: datetime
    lease_seconds_left: float
    cancel_requested: bool


class Attempt(Stored):
    """An attempt of a worker to compute a run. ended_as is null as long as it is at work."""

    report_id: int
    country_id: str
    run_sequence: int
    attempt: int
    worker: str
    claimed_at: datetime
    heartbeat_at: datetime
    lease_until: datetime
    progress: float | None
    message: str | None
    cancel_requested: bool
    ended_at: datetime | None
    ended_as: str | None
    ended_because: str | None
    counts: bool
    run_seconds: float | None


class Cancelled(Stored):
    """The run that was cancelled. With cancel_requested it ends when its worker hears of it, or at lease_until."""

    report_id: int
    run_sequence: int
    status: str
    cancel_requested: bool
    lease_until: datetime | None
    rerun_id: int


class Released(Stored):
    """The run that was put back to pending. result tells how the claim of its worker ended; released without one."""

    report_id: int
    run_sequence: int
    status: str
    result: str
    worker: str | None
    rerun_id: int


# --- workers ---------------------------------------------------------------------------------


def _interval(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds:f} seconds"


@claims.post("/claims")
@describes(list[Claim], "RR001 RR008 RR016 RR022", body=NewClaim)
def claim_reports() -> Reply:
    """Claim pending reports, the smallest ids first. The list is empty when there is none."""
    no_query()
    wanted = body(NewClaim)
    found = call(
        "public.claim_report",
        worker=wanted.worker,
        lease=_interval(wanted.lease_seconds),
        country_id=wanted.country_id,
        report_type=wanted.report_type,
        report_id=wanted.report_id,
        # As text: a number would be sent as a bigint, and the parameter is an integer.
        max_reports=str(wanted.max_reports),
    )
    for claim in found:
        if claim["report_spec_json"] is not None:
            claim["report_spec_json"] = json.loads(claim["report_spec_json"])
    return success("Reports claimed" if found else "No report to claim", found)


@claims.post("/claims/<uuid:claim_id>/heartbeat")
@describes(Lease, "RR016 RR027 RR028", body=Heartbeat, is_body_optional=True)
def heartbeat(claim_id: UUID) -> Reply:
    """Renew the lease of a claim: the worker is alive."""
    no_query()
    beat = optional_body(Heartbeat)
    [lease] = call(
        "public.heartbeat_claim",
        claim_id=claim_id,
        lease=_interval(beat.lease_seconds),
        # As text: a number would be sent as a double, and the parameter is a real.
        progress=None if beat.progress is None else str(beat.progress),
        message=beat.message,
    )
    return success("Lease renewed", lease)


@claims.post("/claims/<uuid:claim_id>/simulations/<int:simulation_id>/finish")
@describes(StoredSimulation, "RR007 RR011 RR016 RR020 RR022 RR027 RR028", body=Finished)
def finish_simulation(claim_id: UUID, simulation_id: int) -> Reply:
    """Store the output of a simulation of a claim. It is complete then, and free for others."""
    return rows.written(
        "public.finish_simulation", "Simulation finished", claim_id=claim_id, simulation_id=simulation_id,
        output=_output(),
    )  # fmt: skip


@claims.post("/claims/<uuid:claim_id>/simulations/<int:simulation_id>/fail")
@describes(StoredSimulation, "RR007 RR011 RR016 RR020 RR022 RR027 RR028", body=Failed)
def fail_simulation(claim_id: UUID, simulation_id: int) -> Reply:
    """Put a simulation of a claim at error. The claim goes on."""
    no_query()
    return rows.written(
        "public.fail_simulation", "Simulation failed", claim_id=claim_id, simulation_id=simulation_id,
        error_message=body(Failed).error_message,
    )  # fmt: skip


@claims.post("/claims/<uuid:claim_id>/finish")
@describes(StoredReport, "RR001 RR011 RR016 RR020 RR022 RR027 RR028 RR031", body=Finished)
def finish_report(claim_id: UUID) -> Reply:
    """Store the output of the report of a claim. It is complete then, and the claim ends."""
    return rows.written("public.finish_report", "Report finished", claim_id=claim_id, output=_output())


@claims.post("/claims/<uuid:claim_id>/fail")
@describes(StoredReport, "RR001 RR011 RR016 RR020 RR022 RR027 RR028", body=FailedReport)
def fail_report(claim_id: UUID) -> Reply:
    """Put the report of a claim at error, or back to pending for a later attempt. The claim ends."""
    no_query()
    failed = body(FailedReport)
    return rows.written(
        "public.fail_report", "Report failed", claim_id=claim_id, error_message=failed.error_message,
        retry_after=_interval(failed.retry_after_seconds),
    )  # fmt: skip


@claims.post("/claims/<uuid:claim_id>/release")
@describes(None, "RR001 RR011 RR020 RR022 RR027 RR028", body=NoFields, is_body_optional=True)
def release_claim(claim_id: UUID) -> Reply:
    """Give the report of a claim back: it is pending at once, and the attempt does not count."""
    no_query()
    optional_body(NoFields)
    call("public.release_claim", claim_id=claim_id)
    return success("Claim released", None)


def _output() -> str | None:
    no_query()
    output: str | None = body(Finished).output
    return output


# --- people ----------------------------------------------------------------------------------


def _shown(attempts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Attempts, with progress as the worker wrote it: PostgreSQL keeps seven digits of it."""
    return [{**row, "progress": row["progress"] and round(row["progress"], 6)} for row in attempts]


@claims.get("/claims")
@describes(list[Attempt], "RR008 RR016", query=Open)
def list_open_claims() -> Reply:
    """What workers compute now, by report. The next page begins after the report_id of the last one."""
    try:
        wanted = Open.model_validate(last_values())
    except ValidationError as error:
        raise BadRequest(f"The query cannot be used: {problems(error)}.") from error
    # As text: a number would be sent as a bigint, and the parameter is an integer.
    found = call("public.open_claims", **wanted.model_dump(exclude_unset=True) | {"max_rows": str(wanted.max_rows)})
    return success("Open claims found", _shown(found))


@claims.get("/<country_id>/report/<int:report_id>/attempts")
@describes(list[Attempt], "RR001 RR008")
def list_attempts(country_id: str, report_id: int) -> Reply:
    """The attempts of workers that claimed runs of the report, the newest first."""
    found = call("public.report_attempts", report_id=report_id, country_id=country_id)
    return success("Attempts found", _shown(found))


@claims.post("/<country_id>/report/<int:report_id>/cancel")
@describes(
    Cancelled,
    "RR001 RR008 RR012 RR016 RR020 RR022",
    body=RunAct,
    is_body_optional=True,
    headers=KeyedHeaders,
)
def cancel_run(country_id: str, report_id: int) -> Reply:
    """End the current run of a report that is pending or running, as cancelled."""
    return success("Run cancelled", _act_on_run("cancel_run", country_id, report_id))


@claims.post("/<country_id>/report/<int:report_id>/release")
@describes(
    Released,
    "RR001 RR008 RR012 RR016 RR020 RR022 RR032",
    body=RunAct,
    is_body_optional=True,
    headers=KeyedHeaders,
)
def release_stuck_run(country_id: str, report_id: int) -> Reply:
    """Put the run of a report that nobody computes any more back to pending."""
    return success("Run released", _act_on_run("release_stuck_run", country_id, report_id))


def _act_on_run(routine: str, country_id: str, report_id: int) -> Any:
    no_query()
    act = optional_body(RunAct)
    return acts.act_on_run(
        routine,
        report_id=report_id,
        country_id=country_id,
        run_sequence=act.run_sequence,
        reason=reason(act.reason),
        idempotency_key=idempotency_key(),
    )
