"""Pages of results: the output of a run to read and to download, and what differs between two."""

from __future__ import annotations

from flask import Blueprint, Response

from pyapi.api.requests import query
from pyapi.api.results import Pair, differences
from pyapi.console.formats import readable_json
from pyapi.console.pages import Page, page, page_of, rows

__all__ = ["results"]

results = Blueprint("results", __name__, url_prefix="/reports/<country_id>/<int:report_id>")

_PAGE = 200
# A value in the list of differences is shown up to here.
_LONGEST_VALUE = 2000


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
    wanted = pair.model_dump(exclude_unset=True, exclude={"max_rows"})
    found, next_path = page_of(differences(country_id, report_id, max_rows=_PAGE + 1, **wanted), "path", _PAGE)
    return page(
        "compare",
        country_id=country_id,
        report_id=report_id,
        pair=pair,
        differences=found,
        next_path=next_path,
        longest=_LONGEST_VALUE,
    )
