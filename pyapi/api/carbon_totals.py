"""The routes of the figures of a carbon report: its totals, its summary, and what charts show."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from flask import Blueprint, jsonify
from pydantic import BaseModel, ConfigDict, Field

from pyapi.api.carbon_requests import UNUSABLE, integers
from pyapi.api.openapi import Stored, describes
from pyapi.api.requests import Reply, call

__all__ = ["totals"]

totals = Blueprint("totals", __name__, url_prefix="/modules-stats")

# Beside these, a category has its sums by key under the names of the keys.
_CATEGORY_KEYS = ("category", "category_key", "emissions", "parent_keys_order")


class Exclusions(BaseModel):
    """The parameter of the query, for the OpenAPI document. integers() reads it."""

    exclude_modules: Annotated[
        list[Annotated[int, Field(ge=-(10**18) + 1, lt=10**18)]],
        Field(description="Types of modules that do not count. Repeat the parameter for more than one."),
    ] = []


class Totals(Stored):
    """By module type: tonnes of CO2 equivalent, or FTE for the module headcount. And the sums of both."""

    modules: dict[str, float]
    total_tonnes_co2eq: float
    total_fte: float


class UnitTotals(Stored):
    """The results of all modules together. A figure that cannot be told is null."""

    total_tonnes_co2eq: float | None
    total_fte: float | None
    tonnes_co2eq_per_fte: float | None
    equivalent_car_km: float | None
    previous_year_total_tonnes_co2eq: float | None
    year_comparison_percentage: float | None


class ModuleResults(Stored):
    """The results of a module. Only headcount has total_fte."""

    module_type_id: int
    total_tonnes_co2eq: float
    total_fte: float | None
    tonnes_co2eq_per_fte: float | None
    equivalent_car_km: float
    previous_year_total_tonnes_co2eq: float | None
    year_comparison_percentage: float | None


class Summary(Stored):
    """The results of a report and of its modules. co2_per_km_kg is what a car emits in one kilometre."""

    unit_totals: UnitTotals
    co2_per_km_kg: float
    module_results: list[ModuleResults]


class ChartEmission(Stored):
    """The emissions of one type, in tonnes, and in the unit of the type where it has one."""

    model_config = ConfigDict(json_schema_extra={"required": ["emission_type", "key", "value"]})

    emission_type: str
    key: str
    value: float
    parent_key: str = ""
    quantity: float = 0
    quantity_unit: str = ""


class ChartCategory(Stored):
    """The emissions of a category. Each key and parent key is also a property, with its tonnes."""

    model_config = ConfigDict(
        json_schema_extra={
            "patternProperties": {f"^(?!({'|'.join(_CATEGORY_KEYS)})$)[a-z][a-z0-9_]*$": {"type": "number"}}
        }
    )

    category: str
    category_key: str
    emissions: list[ChartEmission]
    parent_keys_order: list[str]


class BuildingEnergy(Stored):
    """The embodied energy of a building."""

    building_name: str
    kg_co2eq: float
    tonnes_co2eq: float


class ItSummary(Stored):
    """What IT emits. The percentage is of the categories of module_breakdown."""

    total_tonnes_co2eq: float
    percentage_of_total: float


class Breakdown(Stored):
    """The emissions of a report, for charts."""

    module_breakdown: list[ChartCategory]
    additional_breakdown: list[ChartCategory]
    per_person_breakdown: dict[str, float]
    validated_categories: list[str]
    headcount_validated: bool
    buildings_validated: bool
    total_tonnes_co2eq: float
    total_fte: float
    embodied_energy_by_building: list[BuildingEnergy]
    embodied_energy_by_category: list[Any]
    it_summary: ItSummary


class ItEmission(Stored):
    """Tonnes of one kind of cloud, or of all AI."""

    key: str
    value: float


class ItItem(Stored):
    """Tonnes of a class of entries; rest is all others."""

    name: str
    value: float


class ItCategory(Stored):
    """Tonnes of a category of IT, its part of all IT in percent, and what emits most in it."""

    model_config = ConfigDict(json_schema_extra={"required": ["category_key", "tonnes_co2eq", "percentage"]})

    category_key: str
    tonnes_co2eq: float
    percentage: float
    emissions: list[ItEmission] = []
    top_items: list[ItItem] = []


class ItScopes(Stored):
    """Tonnes of IT by scope."""

    scope_2: float
    scope_3: float


class ItBreakdown(Stored):
    """What IT emits in a report, for charts."""

    total_it_tonnes_co2eq: float
    total_it_per_fte: float
    percentage_of_total: float
    percentage_of_source_modules: float
    categories: list[ItCategory]
    scope_breakdown: ItScopes
    validated: bool
    partially_validated: bool
    validated_sources: list[str]


def _figures(routine: str, report_id: int, **arguments: Any) -> Reply:
    [row] = call(f"public.{routine}", columns=f"{routine} as figures", report_id=report_id, **arguments)
    return jsonify(row["figures"]), HTTPStatus.OK


@totals.get("/<int:report_id>/validated-totals", strict_slashes=False)
@describes(Totals, "RC002")
def get_validated_totals(report_id: int) -> Reply:
    """Tonnes and FTE by module. The type of the report decides which modules count."""
    return _figures("get_validated_totals", report_id)


@totals.get("/<int:report_id>/results-summary", strict_slashes=False)
@describes(Summary, "RC002 RC003", query=Exclusions, unusable=UNUSABLE)
def get_results_summary(report_id: int) -> Reply:
    """Tonnes by validated module, by FTE, in kilometres of a car, and compared with the previous year."""
    return _figures("get_results_summary", report_id, exclude_modules=integers("exclude_modules"))


@totals.get("/<int:report_id>/emission-breakdown", strict_slashes=False)
@describes(Breakdown, "RC002 RC003", query=Exclusions, unusable=UNUSABLE)
def get_emission_breakdown(report_id: int) -> Reply:
    """Tonnes by category and emission type, and by person, of all modules."""
    return _figures("get_emission_breakdown", report_id, exclude_modules=integers("exclude_modules"))


@totals.get("/<int:report_id>/it-breakdown", strict_slashes=False)
@describes(ItBreakdown, "RC002 RC003", query=Exclusions, unusable=UNUSABLE)
def get_it_breakdown(report_id: int) -> Reply:
    """Tonnes of IT by category, with what emits most, and by scope."""
    return _figures("get_it_breakdown", report_id, exclude_modules=integers("exclude_modules"))
