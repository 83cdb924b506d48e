"""Pages of acts: what would happen, the form that does it, and what was done."""

from __future__ import annotations

from flask import Blueprint
from pydantic import BaseModel, ConfigDict
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from pyapi.api import acts as done_by
from pyapi.api.requests import Text
from pyapi.api.results import RunNumber
from pyapi.console.pages import Page, form, go_to, page, rows

__all__ = ["acts"]

acts = Blueprint("acts", __name__)

_LATER = 20
_REPORT = "/reports/<country_id>/<int:report_id>"


class Confirmed(BaseModel):
    """A form that does an act: why, what its page has shown, and the key that lets a second click do nothing more."""

    model_config = ConfigDict(extra="ignore")

    key: Text
    reason: Text | None = None
    # The token of the preview; none is the token of no preview, which the database refuses.
    seen: Text = ""
    force: bool = False


class ConfirmedForRun(Confirmed):
    """A form that ends or releases the run that its page has shown."""

    run_sequence: RunNumber


@acts.get(f"{_REPORT}/rerun")
def preview_rerun(country_id: str, report_id: int) -> Page:
    """What a rerun would do, and the form that does it."""
    touched = rows("rerun_preview", report_id=report_id, country_id=country_id)
    sharing = sorted({other for row in touched for other in row["shared_with"]})
    return page("rerun", country_id=country_id, report_id=report_id, touched=touched, sharing=sharing)


@acts.post(f"{_REPORT}/rerun")
def rerun(country_id: str, report_id: int) -> Response:
    """Rerun the report as the preview has shown it."""
    given = form(Confirmed)
    result = done_by.rerun_report(
        report_id=report_id,
        country_id=country_id,
        idempotency_key=given.key,
        reason=given.reason,
        seen=given.seen,
    )
    return go_to("acts.show", rerun_id=result["rerun_id"])


def _preview_of_run(template: str, country_id: str, report_id: int) -> Page:
    """The current run of a report, who computes it, and the form that ends or releases it."""
    [run] = [row for row in rows("report_history", report_id=report_id, country_id=country_id) if row["is_current"]]
    attempts = rows("report_attempts", report_id=report_id, country_id=country_id)
    return page(template, country_id=country_id, report_id=report_id, run=run, attempts=attempts)


def _act_on_run(routine: str, country_id: str, report_id: int) -> Response:
    """Do to the run that the page has shown what a routine does, and tell it."""
    given = form(ConfirmedForRun)
    result = done_by.act_on_run(
        routine,
        report_id=report_id,
        country_id=country_id,
        reason=given.reason,
        run_sequence=given.run_sequence,
        idempotency_key=given.key,
    )
    return go_to("acts.show", rerun_id=result["rerun_id"])


@acts.get(f"{_REPORT}/cancel")
def preview_cancel(country_id: str, report_id: int) -> Page:
    """What a cancellation would end, and the form that does it."""
    return _preview_of_run("cancel", country_id, report_id)


@acts.post(f"{_REPORT}/cancel")
def cancel(country_id: str, report_id: int) -> Response:
    """Cancel the run that the page has shown."""
    return _act_on_run("cancel_run", country_id, report_id)


@acts.get(f"{_REPORT}/release")
def preview_release(country_id: str, report_id: int) -> Page:
    """What a release would put back, and the form that does it."""
    return _preview_of_run("release", country_id, report_id)


@acts.post(f"{_REPORT}/release")
def release(country_id: str, report_id: int) -> Response:
    """Put the run that the page has shown back to pending."""
    return _act_on_run("release_stuck_run", country_id, report_id)


@acts.get("/acts/<int:rerun_id>")
def show(rerun_id: int) -> Page:
    """What was done, and how to take it back."""
    found = rows("rerun_history", rerun_id=rerun_id)
    if not found:
        raise NotFound(f"There is no act #{rerun_id}.")
    [act] = found
    # As it is now, so that the page tells when the report is done again.
    now = rows("find_reports", report_id=act["report_id"]) if act["report_id"] is not None else []
    return page("act", act=act, report=now[0] if now else None)


@acts.get("/acts/<int:rerun_id>/undo")
def preview_undo(rerun_id: int) -> Page:
    """What an undo would put back and what stands in its way, and the form that does it."""
    found = rows("rerun_history", rerun_id=rerun_id)
    if not found:
        raise NotFound(f"There is no act #{rerun_id}.")
    [act] = found
    # The newest acts on the report, of which those that are later may be in the way.
    acts_on_it = rows("rerun_history", report_id=act["report_id"], max_rows=_LATER) if act["report_id"] else []
    later = [other for other in acts_on_it if other["rerun_id"] > rerun_id]
    return page("undo", act=act, touched=rows("undo_preview", rerun_id=rerun_id), later=later)


@acts.post("/acts/<int:rerun_id>/undo")
def undo(rerun_id: int) -> Response:
    """Undo the act as the preview has shown it."""
    given = form(Confirmed)
    result = done_by.undo_rerun(
        rerun_id=rerun_id,
        force=given.force,
        reason=given.reason,
        seen=given.seen,
        idempotency_key=given.key,
    )
    return go_to("acts.show", rerun_id=result["undo_id"])
