"""Pages of carbon reports: units, reports by year, one report, explore reports and their replacement, duplicates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

from flask import Blueprint
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from pyapi.api.requests import RowId, Text, Written, call, query
from pyapi.console.formats import compact
from pyapi.console.pages import Page, form, go_to, page, paged, rows
from pyapi.database import sqlstate

__all__ = ["MODULES", "carbon"]

carbon = Blueprint("carbon", __name__, url_prefix="/carbon")

_PAGE = 50
# A unit has a report a year and type, so this is all of it.
_REPORTS_OF_UNIT = 200
_NO_REPORT = "RC003"
MODULES: Mapping[int, str] = {
    1: "Headcount",
    2: "Professional travel",
    3: "Buildings",
    4: "Equipment",
    5: "Purchase",
    6: "Research facilities",
    7: "External cloud and AI",
    8: "Process emissions",
}
_TYPES: Mapping[int, str] = {0: "Calculator", 1: "Simulator Explore", 2: "Simulator Plan"}


class Conditions(BaseModel):
    """What a list is asked for. A form sends every field; those that are empty do not count."""

    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, given: dict[str, str]) -> dict[str, str]:
        return {name: value.strip() for name, value in given.items() if value.strip()}


class WantedUnits(Conditions):
    """Which units are listed."""

    search: Text | None = None
    after_unit_id: Annotated[RowId | None, Written] = None


class Later(Conditions):
    """Where a page of a list begins."""

    after_report_id: Annotated[RowId | None, Written] = None


class WantedReports(Later):
    """Which carbon reports are listed."""

    year: Annotated[int | None, Field(ge=0, le=9999), Written] = None
    carbon_project_type: Annotated[int | None, Field(ge=0, le=2), Written] = None


class Replaced(BaseModel):
    """The form that replaces an explore report: which one its page has shown."""

    model_config = ConfigDict(extra="ignore")

    old_report_id: RowId


def _paged(found: list[dict[str, Any]], given: BaseModel, place: str, most: int = _PAGE) -> dict[str, Any]:
    return paged(found, given.model_dump(exclude_none=True), place, "id", most)


# --- who may what ----------------------------------------------------------------------------


def _session(unit_ids: Iterable[int] | None = None) -> dict[str, Any]:
    """The roles and permissions of the caller, of all units or of these."""
    given = {} if unit_ids is None else {"unit_ids": sorted(set(unit_ids))}
    [row] = call("public.carbon_permissions", columns="carbon_permissions as session", **given)
    found: dict[str, Any] = row["session"]
    return found


def _may_edit(session: dict[str, Any], institutional_id: str | None) -> bool:
    """Whether these permissions let the caller edit the reports of a unit: those everywhere, and those on the unit."""
    held: dict[str, list[str]] = session["permissions"]
    places = ["reports", *([f"reports/{institutional_id}"] if institutional_id else [])]
    return any("edit" in held.get(place, ()) for place in places)


def _in_words(role: Any) -> str:
    """A role of the claim "roles" as people say it. What is no role is shown as it is."""
    on = role.get("on") if isinstance(role, dict) else None
    if not isinstance(on, dict):
        return compact(role)
    kind, unit = on.get("kind"), on.get("institutional_id")
    if kind == "global" or on.get("scope") == "global":
        place = "everywhere"
    elif unit and kind == "own":
        place = f"of unit {unit}, for what is their own"
    elif unit:
        place = f"of unit {unit}"
    else:
        place = f"on {compact(on)}"
    return f"{role.get('role')} {place}"


# --- units -----------------------------------------------------------------------------------


@carbon.get("")
def show_units() -> Page:
    """The units that the caller may view, and why these."""
    wanted = query(WantedUnits)
    found = rows("find_carbon_units", max_rows=_PAGE + 1, **wanted.model_dump(exclude_none=True))
    session = _session()
    return page(
        "carbon",
        **_paged(found, wanted, "after_unit_id"),
        roles=[_in_words(role) for role in session["roles"]],
        permissions=session["permissions"],
    )


@carbon.get("/units/<int:unit_id>")
def show_unit(unit_id: int) -> Page:
    """One unit: its projects, its reports by year, and whether their stored figures are right."""
    wanted = query(Later)
    projects = rows("find_carbon_projects", unit_id=unit_id)
    reports = rows(
        "find_carbon_reports",
        unit_id=unit_id,
        max_rows=_REPORTS_OF_UNIT + 1,
        **wanted.model_dump(exclude_none=True),
    )
    listed = _paged(reports, wanted, "after_report_id", _REPORTS_OF_UNIT)
    listed["found"].sort(key=lambda report: (-report["year"], report["carbon_project_type"] or 0, report["id"]))
    return page(
        "carbon_unit",
        unit=_unit(unit_id),
        projects=projects,
        **listed,
        differences=rows("carbon_stats_differences", unit_id=unit_id, max_rows=_PAGE),
        most_differences=_PAGE,
        modules=MODULES,
    )


def _unit(unit_id: int) -> dict[str, Any]:
    """A unit that the caller may view, as the list has it."""
    found = rows("find_carbon_units", after_unit_id=unit_id - 1, max_rows=1)
    if not found or found[0]["id"] != unit_id:
        raise NotFound(f"There is no unit #{unit_id} any more.")
    return found[0]


# --- reports ---------------------------------------------------------------------------------


@carbon.get("/reports")
def show_reports() -> Page:
    """The carbon reports of all units that the caller may view, by year and type."""
    wanted = query(WantedReports)
    found = rows("find_carbon_reports", max_rows=_PAGE + 1, **wanted.model_dump(exclude_none=True))
    return page("carbon_reports", **_paged(found, wanted, "after_report_id"), types=_TYPES)


@carbon.get("/reports/<int:report_id>")
def show_report(report_id: int) -> Page:
    """One carbon report: its modules, and what it adds up to."""
    [stored] = rows("get_carbon_report", report_id=report_id)
    return page(
        "carbon_report",
        report=_listed(report_id, stored["unit_id"]),
        modules=rows("get_carbon_report_modules", report_id=report_id),
        names=MODULES,
        breakdown=_figures("get_emission_breakdown", report_id),
        summary=_figures("get_results_summary", report_id),
    )


def _listed(report_id: int, unit_id: int) -> dict[str, Any]:
    """A report with its unit, type and totals, as the list has it."""
    found = rows("find_carbon_reports", unit_id=unit_id, after_report_id=report_id - 1, max_rows=1)
    if not found or found[0]["id"] != report_id:
        raise NotFound(f"There is no carbon report #{report_id} any more.")
    return found[0]


def _figures(routine: str, report_id: int) -> dict[str, Any]:
    [row] = call(f"public.{routine}", columns=f"{routine} as figures", report_id=report_id)
    found: dict[str, Any] = row["figures"]
    return found


# --- explore reports -------------------------------------------------------------------------

_EXPLORE = "/explore/<int:unit_id>/<int:year>"


def _explore_report(unit_id: int, year: int) -> dict[str, Any]:
    """The explore report of a unit and year as it is now. Raises RC001, RC002, RC003 in a DBAPIError."""
    [found] = call("public.get_explore_report", columns="(stored).*, is_stale", unit_id=unit_id, reference_year=year)
    return found


@carbon.get("/explore")
def show_explore() -> Page:
    """The explore reports, which of them are stale, and whose refresh failed."""
    wanted = query(Later)
    found = rows("find_explore_reports", max_rows=_PAGE + 1, **wanted.model_dump(exclude_none=True))
    session = _session(row["unit_id"] for row in found)
    for row in found:
        row["may_replace"] = row["is_stale"] and _may_edit(session, row["institutional_id"])
    return page("carbon_explore", **_paged(found, wanted, "after_report_id"))


@carbon.get(f"{_EXPLORE}/refresh")
def preview_refresh(unit_id: int, year: int) -> Page:
    """What a refresh would delete, and the form that does it."""
    report = _explore_report(unit_id, year)
    unit = _unit(unit_id)
    return page(
        "carbon_refresh",
        unit=unit,
        report=_listed(report["id"], unit_id),
        is_stale=report["is_stale"],
        modules=rows("get_carbon_report_modules", report_id=report["id"]),
        names=MODULES,
        may_edit=_may_edit(_session([unit_id]), unit["institutional_id"]),
    )


@carbon.post(f"{_EXPLORE}/refresh")
def refresh(unit_id: int, year: int) -> Response:
    """Replace the explore report that the page has shown, where it is stale. A second click finds that it was."""
    old_report_id = form(Replaced).old_report_id
    rows("refresh_explore_report", unit_id=unit_id, old_report_id=old_report_id, reference_year=year)
    return go_to("carbon.show_refreshed", unit_id=unit_id, year=year, old_report_id=old_report_id)


@carbon.get(f"{_EXPLORE}/refreshed/<int:old_report_id>")
def show_refreshed(unit_id: int, year: int, old_report_id: int) -> Page:
    """What became of an explore report that was to be replaced."""
    # First, because it refuses a caller who may not view the unit.
    fresh = _if_there(lambda: _explore_report(unit_id, year))
    return page(
        "carbon_refreshed",
        unit=_unit(unit_id),
        year=year,
        old_report_id=old_report_id,
        old=_if_there(lambda: rows("get_carbon_report", report_id=old_report_id)[0]),
        fresh=fresh,
    )


def _if_there(find: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """What is found, None where there is no such report."""
    try:
        return find()
    except DBAPIError as error:
        if sqlstate(error) != _NO_REPORT:
            raise
        return None


# --- duplicates ------------------------------------------------------------------------------


@carbon.get("/duplicates")
def show_duplicates() -> Page:
    """Whether projects and reports can exist twice, and which do."""
    return page("carbon_duplicates", constraints=rows("carbon_duplicates", max_rows=_PAGE))
