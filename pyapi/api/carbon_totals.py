"""The route of the totals of a carbon report."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, jsonify

from pyapi.api.carbon_requests import UNUSABLE, CarbonQuery, carbon_project_type
from pyapi.api.openapi import Stored, describes
from pyapi.api.requests import Reply, call

__all__ = ["totals"]

totals = Blueprint("totals", __name__, url_prefix="/modules-stats")


class Totals(Stored):
    """By module type: tonnes of CO2 equivalent, or FTE for the module headcount. And the sums of both."""

    modules: dict[str, float]
    total_tonnes_co2eq: float
    total_fte: float


@totals.get("/<int:report_id>/validated-totals", strict_slashes=False)
@describes(Totals, "RC002 RC005", query=CarbonQuery, unusable=UNUSABLE)
def get_validated_totals(report_id: int) -> Reply:
    """Tonnes and FTE by module. The type of the report decides which modules count."""
    [row] = call(
        "public.get_validated_totals",
        columns="get_validated_totals as totals",
        report_id=report_id,
        carbon_project_type=carbon_project_type(),
    )
    return jsonify(row["totals"]), HTTPStatus.OK
