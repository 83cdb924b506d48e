"""What the pages of a carbon report show of its modules: their figures, lists of entries, and what forms ask for."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal

from flask import Blueprint, jsonify
from pydantic import Field

from pyapi.api.carbon_requests import UNUSABLE, CarbonQuery, carbon_project_type, query
from pyapi.api.openapi import Stored, describes
from pyapi.api.requests import Reply, Written, call

__all__ = ["lists"]

lists = Blueprint("lists", __name__, url_prefix="/modules/<int:unit_id>/<int:year>")

_READ = "RC001 RC002 RC003 RC005 RC006"
_Positive = Annotated[int, Written, Field(ge=1, le=10**9)]


class Page(CarbonQuery):
    """A page of a list, and its order. A field of the entries may be given to sort by."""

    page: _Positive = 1
    limit: Annotated[int, Written, Field(ge=1, le=1000)] = 100
    sort_by: str = "id"
    sort_order: Literal["asc", "desc"] = "asc"
    filter: Annotated[str, Field(description="Only entries that have this in one of their text fields.")] = ""


class Value(CarbonQuery):
    """The value that a form asks about. exclude_id is the entry that is being changed."""

    field: str
    value: str
    exclude_id: Annotated[int | None, Written] = None


class ModuleTotals(Stored):
    """The totals of a module. What does not apply to it is null."""

    total_kg_co2eq: float | None
    total_tonnes_co2eq: float | None
    total_annual_fte: float | None
    total_annual_consumption_kwh: float | None


class ModuleView(Stored):
    """A module: how many entries of each type it has, and its figures by class of people or by emission type."""

    carbon_report_module_id: int
    retrieved_at: str
    data_entry_types_total_items: dict[str, int]
    stats: dict[str, float | None]
    totals: ModuleTotals


class ListSummary(Stored):
    """The number of entries on all pages. The calculator leaves the sums 0."""

    total_items: int
    annual_fte: float
    annual_consumption_kwh: float
    total_kg_co2eq: float


class EntryList(Stored):
    """A page of entries: their fields, with id, data_entry_type_id, carbon_report_module_id, status and kg_co2eq."""

    id: int
    count: int
    items: list[dict[str, Any]]
    summary: ListSummary
    has_more: bool


class Member(Stored):
    """A member of the headcount."""

    institutional_id: str
    name: str | None


class Uniqueness(Stored):
    """Whether no entry has the value."""

    unique: bool


class Class(Stored):
    """The kilograms of a class of entries, and its share of the module."""

    name: str
    value: float
    percentage: float


class TypeOfEntries(Stored):
    """The kilograms of a type of entries, by class."""

    name: str
    value: float
    children: list[Class]


class Trips(Stored):
    """The legs that can be drawn on a map, and how many trips cannot."""

    legs: list[dict[str, Any]]
    dropped_count: int


# The parts of a path have the names of the routine's parameters, so each view passes its ``path`` on.
def _value(routine: str, path: dict[str, Any], **values: Any) -> Any:
    [row] = call(
        f"public.{routine}",
        columns=f"{routine} as value",
        **path,
        carbon_project_type=carbon_project_type(),
        **values,
    )
    return row["value"]


@lists.get("/<module>", strict_slashes=False)
@describes(ModuleView, _READ, query=CarbonQuery, unusable=UNUSABLE)
def get_module(**path: Any) -> Reply:
    """The figures of a module."""
    return jsonify(_value("get_module_view", path)), HTTPStatus.OK


@lists.get("/headcount/members", strict_slashes=False)
@describes(list[Member], "RC001 RC002 RC003 RC005", query=CarbonQuery, unusable=UNUSABLE)
def list_members(**path: Any) -> Reply:
    """The members of the headcount who have an institutional id, by name."""
    members = call("public.get_headcount_members", **path, carbon_project_type=carbon_project_type())
    return jsonify(members), HTTPStatus.OK


@lists.get("/professional-travel/trips-map", strict_slashes=False)
@describes(Trips, "RC001 RC002 RC003 RC005", query=CarbonQuery, unusable=UNUSABLE)
def get_trips(**path: Any) -> Reply:
    """What the map of the travel shows. The places of trips are not known here, so it is empty."""
    return jsonify(_value("get_trips", path)), HTTPStatus.OK


@lists.get("/<module>/stats-by-class", strict_slashes=False)
@describes(list[TypeOfEntries], f"{_READ} RC016", query=CarbonQuery, unusable=UNUSABLE)
def get_classes(**path: Any) -> Reply:
    """The kilograms of a module by type and class of its entries."""
    return jsonify(_value("get_module_classes", path)), HTTPStatus.OK


@lists.get("/<module>/top-class-breakdown", strict_slashes=False)
@describes(list[TypeOfEntries], f"{_READ} RC016", query=CarbonQuery, unusable=UNUSABLE)
def get_top_classes(**path: Any) -> Reply:
    """The largest classes of each type of entries, and the rest."""
    return jsonify(_value("get_module_classes", path, only_largest=True)), HTTPStatus.OK


@lists.get("/<module>/<entry_type>", strict_slashes=False)
@describes(EntryList, f"{_READ} RC015 RC016", query=Page, unusable=UNUSABLE)
def list_entries(**path: Any) -> Reply:
    """A page of the entries of one type in the module."""
    page = query(Page)
    found = _value(
        "get_data_entries",
        path,
        page=page.page,
        page_size=page.limit,
        sort_by=page.sort_by,
        is_descending=page.sort_order == "desc",
        filter=page.filter,
    )
    return jsonify(found), HTTPStatus.OK


@lists.get("/<module>/<entry_type>/check-unique", strict_slashes=False)
@describes(Uniqueness, f"{_READ} RC015 RC016", query=Value, unusable=UNUSABLE)
def check_unique(**path: Any) -> Reply:
    """Whether no other entry of the type has a value in a field."""
    asked = query(Value)
    is_unique = _value("is_unique_in_module", path, field=asked.field, value=asked.value, exclude_id=asked.exclude_id)
    return jsonify(unique=is_unique), HTTPStatus.OK
