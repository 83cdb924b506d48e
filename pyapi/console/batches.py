"""Pages of batches: the list, a new one with its preview, and one batch with what may be done with it."""

from __future__ import annotations

import csv
import io
import json
import logging
import time
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Annotated, Any

from flask import Blueprint, Response, current_app, request, stream_with_context
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DBAPIError, TimeoutError
from werkzeug.exceptions import BadRequest, ServiceUnavailable
from werkzeug.wrappers import Response as BaseResponse

from pyapi import database
from pyapi.api.context import request_context
from pyapi.api.errors import explain
from pyapi.api.replica import REPLICA, Replica
from pyapi.api.requests import RowId, Text, Written, call, caller, query
from pyapi.batches import (
    COLUMNS,
    PAGE,
    all_pages,
    filter_of,
    filter_words,
    ids_in,
    json_array,
    rerun_chunks,
    undo_chunks,
)
from pyapi.chunks import do_chunk
from pyapi.console.pages import Page, form, go_to, look_again, may, page, page_of, rows
from pyapi.console.running import runner
from pyapi.database import is_passing, sqlstate

__all__ = ["batches"]

logger = logging.getLogger(__name__)

batches = Blueprint("batches", __name__, url_prefix="/batches")

_LISTED = 50
_CONDITIONS = ("country", "status", "report_type", "year", "api_version")
_BAD_FILTER = "RR015"
# A chunk is one call, which may take as long as a request, and the page tells of the progress after each.
_CHUNK_REPORTS = "100"
# After these it is tried again where the database is away, or has no connection for it.
_PAUSES_SECONDS = (1, 5, 20)
# Spreadsheets take what begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Place(BaseModel):
    """Where in its lists a page is, and what was done just now."""

    model_config = ConfigDict(extra="ignore")

    before: Annotated[RowId | None, Written] = None
    after_sharing: Annotated[RowId | None, Written] = None
    after_refused: Annotated[RowId | None, Written] = None
    after_left: Annotated[RowId | None, Written] = None
    before_rerun: Annotated[RowId | None, Written] = None
    undo: bool = False
    waits: bool = False


class NewBatch(BaseModel):
    """The form that makes a batch: the filter as its preview has used it, and what that has shown."""

    model_config = ConfigDict(extra="ignore")

    key: Text
    filter: Text
    reason: Text | None = None
    expected_reports: Annotated[int | None, Field(ge=0, le=2**63 - 1), Written] = None
    # None is the token of no preview, which the database refuses.
    seen: Text = ""


class Confirmed(BaseModel):
    """A form that ends or undoes a batch."""

    model_config = ConfigDict(extra="ignore")

    # With it a second click on the undo does what the first one does.
    key: Text | None = None
    reason: Text | None = None
    force: bool = False
    # As many as the preview of an undo has shown; a form that shows none has not seen it.
    expected_reruns: Annotated[int, Field(ge=0, le=2**63 - 1), Written] = 0


def _batch(batch_id: int) -> dict[str, Any]:
    [batch] = rows("rerun_batches", columns=COLUMNS, batch_id=batch_id)
    return {**batch, "conditions": filter_words(batch)}


# --- the list, and a new one -----------------------------------------------------------------


@batches.get("")
def show_list() -> Page:
    """The batches, newest first, a page at a time."""
    place = query(Place)
    found, earlier = page_of(
        rows("rerun_batches", columns=COLUMNS, before=place.before, max_rows=_LISTED + 1), "id", _LISTED
    )
    return page(
        "batches",
        found=[{**batch, "conditions": filter_words(batch)} for batch in found],
        earlier=earlier,
        is_first=place.before is None,
    )


@batches.get("/new")
def new() -> Page:
    """The conditions of a new batch; with some, what it would do, and the form that makes it."""
    given = {name: [value for text in request.args.getlist(name) if (value := text.strip())] for name in _CONDITIONS}
    ids = "\n".join(request.args.getlist("ids"))
    values: dict[str, Any] = {
        "given": {**given, "ids": ids},
        "reason": request.args.get("reason", ""),
        "countries": sorted({row["country_id"] for row in rows("cache_versions")} | set(given["country"])),
    }
    if not (any(given.values()) or ids.strip()):
        return page("batch_new", **values)
    try:
        preview = _preview(filter_of(given, json_array(ids_in(ids.splitlines()))))
        # The same page, further on in the list of those that share.
        further = {**given, "ids": ids or None, "reason": values["reason"] or None}
        return page("batch_new", **values, **preview, further=further)
    except ValueError as error:
        refusal = f"Ids, {error}"
    except DBAPIError as error:
        if sqlstate(error) != _BAD_FILTER:
            raise
        refusal = explain(error).message
    # So that the page of a refusal knows the caller, too.
    may("rerun")
    return page("batch_new", 400, **values, refusal=refusal)


def _preview(filter_json: str) -> dict[str, Any]:
    """What a batch with this filter would do."""
    after = query(Place).after_sharing
    # The token first: what moves while the rest is read is not what it has seen, and it is refused then.
    [effects] = rows("rerun_batch_effects", filter=filter_json)
    found = rows("rerun_batch_preview", filter=filter_json)
    sharing: list[dict[str, Any]] = []
    if effects["sharing_reports"]:
        sharing = rows("rerun_batch_sharing", filter=filter_json, after_report_id=after, max_rows=_LISTED + 1)
    sharing, next_sharing = page_of(sharing, "report_id", _LISTED)
    return {
        "filter_json": filter_json,
        "effects": effects,
        "found": found,
        "sharing": sharing,
        "next_sharing": next_sharing,
    }


@batches.post("")
def create() -> BaseResponse:
    """Make the batch that the preview has shown, and start to run it."""
    given = form(NewBatch)
    look_again("batches.new", reason=given.reason, **_conditions_of(given.filter))
    [made] = call(
        "public.create_rerun_batch",
        columns="create_rerun_batch as id",
        filter=given.filter,
        reason=given.reason,
        expected_reports=given.expected_reports,
        seen=given.seen,
        idempotency_key=given.key,
    )
    batch_id = int(made["id"])
    look_again("batches.show", batch_id=batch_id)
    try:
        _start_rerun(batch_id)
    except ServiceUnavailable:
        # It is made, and its page offers to run it.
        return go_to("batches.show", batch_id=batch_id, waits="yes")
    return go_to("batches.show", batch_id=batch_id)


def _conditions_of(filter_json: str) -> dict[str, Any]:
    """The parameters of the preview that has used a filter. Raises BadRequest where it is not JSON."""
    try:
        read = json.loads(filter_json)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The filter of the form is not JSON. Nothing was done.") from error
    if not isinstance(read, dict):
        return {}
    found: dict[str, Any] = {name: read[name] for name in _CONDITIONS if name in read}
    if isinstance(read.get("ids"), list):
        found["ids"] = " ".join(map(str, read["ids"]))
    return found


# --- one -------------------------------------------------------------------------------------


@batches.get("/<int:batch_id>")
def show(batch_id: int) -> Page:
    """One batch: how far it is, who made it and why, what it has refused or left, and what may be done."""
    place = query(Place)
    batch = _batch(batch_id)
    most = _LISTED + 1
    refused, left, remaining = [], [], []
    if batch["refused"]:
        refused = rows("rerun_batch_refusals", batch_id=batch_id, after_report_id=place.after_refused, max_rows=most)
    if batch["remaining"]:
        left = rows(
            "rerun_batch_refusals", batch_id=batch_id, after_report_id=place.after_left, max_rows=most, are_left=True
        )
    if (place.undo or batch["undone"]) and batch["undone"] < batch["rerun"]:
        remaining = rows("rerun_batch_obstacles", batch_id=batch_id, before_rerun_id=place.before_rerun, max_rows=most)
    refused, next_refused = page_of(refused, "report_id", _LISTED)
    left, next_left = page_of(left, "report_id", _LISTED)
    remaining, next_rerun = page_of(remaining, "rerun_id", _LISTED)
    return page(
        "batch",
        batch=batch,
        place=place,
        refused=refused,
        left=left,
        remaining=remaining,
        next_refused=next_refused,
        next_left=next_left,
        next_rerun=next_rerun,
    )


@batches.get("/<int:batch_id>/refusals.csv")
def refusals(batch_id: int) -> Response:
    """All reports that the batch has refused, as CSV."""
    found = all_pages(lambda last: rows("rerun_batch_refusals", batch_id=batch_id, after_report_id=last, max_rows=PAGE))
    # What is refused is refused before the reply begins.
    first = next(found, None)
    lines = _csv(("report_id", "errcode", "message"), found if first is None else chain([first], found))
    response = Response(stream_with_context(lines), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="batch-{batch_id}-refusals.csv"'
    return response


def _csv(columns: tuple[str, ...], found: Iterator[dict[str, Any]]) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in found:
        writer.writerow(_cell(row[name]) for name in columns)
        if text.tell() > 64 * 1024:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


# --- running, ending, undoing ----------------------------------------------------------------


def _chunks_of(routine: str, place: str, **arguments: Any) -> Callable[[int | None], dict[str, Any]]:
    """What does one chunk after another as the caller of this request, also in a thread, which has no request.

    ``place`` names the argument for the position of the chunk.
    """
    engine, claims = caller()
    asked = request_context()
    replica: Replica | None = current_app.extensions[REPLICA]

    def once(position: int | None) -> dict[str, Any]:
        try:
            return do_chunk(engine, f"public.{routine}", claims=claims, request=asked, **arguments, **{place: position})
        finally:
            # For the pages that tell of it.
            if replica is not None:
                replica.note_write(engine)

    def do(position: int | None) -> dict[str, Any]:
        # Somebody waits for the first. A chunk that was done, although nobody heard of it, is not done again.
        for pause in (*(_PAUSES_SECONDS if position is not None else ()), None):
            try:
                return once(position)
            except (DBAPIError, TimeoutError) as error:
                if pause is None or (isinstance(error, DBAPIError) and not is_passing(error)):
                    raise
                logger.warning("batch %s is tried again in %s seconds: %s", arguments["batch_id"], pause, error)
            time.sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    return do


def _start_rerun(batch_id: int) -> None:
    """Rerun what remains of a batch in this process. Raises what the first chunk raises."""
    engine, claims = caller()

    def remaining() -> int:
        [row] = database.call(engine, "public.rerun_batches", columns="remaining", claims=claims, batch_id=batch_id)
        return int(row["remaining"])

    do = _chunks_of("rerun_batch_chunk", "after_report_id", batch_id=batch_id, chunk_size=_CHUNK_REPORTS)
    runner().start(("rerun", batch_id), rerun_chunks(do, remaining))


def _start_undo(batch_id: int, given: Confirmed) -> None:
    """Undo the reruns of a batch in this process. Raises what the first chunk raises."""
    do = _chunks_of(
        "undo_batch_chunk",
        "before_rerun_id",
        batch_id=batch_id,
        force=given.force,
        chunk_size=_CHUNK_REPORTS,
        reason=given.reason,
        # It counts for the first chunk, which has no position.
        expected_reruns=given.expected_reruns,
        idempotency_key=given.key,
    )
    runner().start(("undo", batch_id), undo_chunks(do))


@batches.get("/<int:batch_id>/run")
def to_the_batch(batch_id: int) -> BaseResponse:
    """Where one comes to after signing in again, and from the page of a refusal."""
    return go_to("batches.show", batch_id=batch_id)


@batches.post("/<int:batch_id>/run")
def run(batch_id: int) -> BaseResponse:
    """Go on with a batch."""
    _start_rerun(batch_id)
    return go_to("batches.show", batch_id=batch_id)


@batches.get("/<int:batch_id>/cancel")
def preview_cancel(batch_id: int) -> Page:
    """What a cancellation would leave undone, and the form that cancels."""
    return page("batch_cancel", batch=_batch(batch_id))


@batches.post("/<int:batch_id>/cancel")
def cancel(batch_id: int) -> BaseResponse:
    """End a batch for ever."""
    given = form(Confirmed)
    call("public.cancel_rerun_batch", batch_id=batch_id, reason=given.reason)
    return go_to("batches.show", batch_id=batch_id)


@batches.get("/<int:batch_id>/undo")
def preview_undo(batch_id: int) -> Page:
    """What an undo would put back and what stands in its way, and the form that undoes."""
    place = query(Place)
    batch = _batch(batch_id)
    found = rows("rerun_batch_obstacles", batch_id=batch_id, before_rerun_id=place.before_rerun, max_rows=_LISTED + 1)
    found, next_rerun = page_of(found, "rerun_id", _LISTED)
    return page("batch_undo", batch=batch, found=found, next_rerun=next_rerun, is_first=place.before_rerun is None)


@batches.post("/<int:batch_id>/undo")
def undo(batch_id: int) -> BaseResponse:
    """Undo the reruns of a batch, newest first."""
    _start_undo(batch_id, form(Confirmed))
    return go_to("batches.show", batch_id=batch_id, undo="yes")
