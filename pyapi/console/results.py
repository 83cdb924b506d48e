"""Pages of results: the output of a run to read and to download, and what differs between two."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, Response
from pydantic import BaseModel, ConfigDict

from pyapi.api.requests import Text, call, query
from pyapi.api.results import RunNumber
from pyapi.console.formats import readable_json
from pyapi.console.pages import Page, page, rows

__all__ = ["results"]

results = Blueprint("results", __name__, url_prefix="/reports/<country_id>/<int:report_id>")

_PAGE = 200
# A value in the list of differences is shown up to here.
_LONGEST_VALUE = 2000


class Pair(BaseModel):
    """The two runs that are compared."""

    model_config = ConfigDict(extra="ignore")

    run_sequence: RunNumber
    other_run_sequence: RunNumber
    after_path: Annotated[Text | None, None] = None


@results.get("/runs/<int:run_sequence>")
def show_run(country_id: str, report_id: int, run_sequence: int) -> Page:
    """The result of one run, to read."""
    [run] = rows("report_run_output", report_id=report_id, run_sequence=run_sequence, country_id=country_id)
    output = run.pop("output")
    return page("run", run=run, readable=None if output is None else readable_json(output))


@results.get("/runs/<int:run_sequence>/output.json")
def download(country_id: str, report_id: int, run_sequence: int) -> Response:
    """The output of one run, byte for byte as it is stored."""
    [run] = rows("report_run_output", report_id=report_id, run_sequence=run_sequence, country_id=country_id)
    response = Response(run["output"] or "", mimetype="application/json")
    name = f"report-{report_id}-run-{run_sequence}.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@results.get("/compare")
def compare(country_id: str, report_id: int) -> Page:
    """What differs between the outputs of two runs."""
    pair = query(Pair)
    found = call(
        "public.compare_runs",
        columns="path, change, old_value::text, new_value::text",
        report_id=report_id,
        country_id=country_id,
        max_rows=_PAGE + 1,
        **pair.model_dump(exclude_none=True),
    )
    return page(
        "compare",
        country_id=country_id,
        report_id=report_id,
        pair=pair,
        differences=found[:_PAGE],
        next_path=found[_PAGE - 1]["path"] if len(found) > _PAGE else None,
        longest=_LONGEST_VALUE,
        runs=rows("report_history", report_id=report_id, country_id=country_id),
    )
