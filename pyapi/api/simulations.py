"""Routes of simulations: get, create or update one; list the economy cache, as the application does."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Annotated, Any

from flask import Blueprint
from pydantic import BaseModel, Field

from pyapi.api import rows
from pyapi.api.openapi import describes
from pyapi.api.requests import OpenBody, Reply, Text, body, call, last_values, success

__all__ = ["simulations"]

simulations = Blueprint("simulations", __name__)


# As long a number as Python reads; whatever is beyond a bigint is beyond every limit.
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,4000})")


class NewSimulation(OpenBody):
    """The key of a simulation."""

    population_id: Text
    population_type: Text
    policy_id: Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]


class StoredSimulation(rows.RunTimes):
    """A simulation as it is stored, with the times of its current run. output is JSON text."""

    id: int
    country_id: str
    api_version: str
    population_id: str
    population_type: str
    policy_id: int
    status: str
    output: str | None
    error_message: str | None
    run_sequence: int
    simulation_spec_json: str | None
    simulation_spec_schema_version: int | None
    active_run_id: str | None
    latest_successful_run_id: str | None


class Recent(BaseModel):
    """How many cache rows to list."""

    max_results: Annotated[
        Any,
        Field(description="1 to 1000; what is less or more counts as these, and what is no number as 100."),
    ] = 100


@simulations.post("/<country_id>/simulation")
@describes(
    {HTTPStatus.OK: StoredSimulation, HTTPStatus.CREATED: StoredSimulation},
    "RR004 RR008 RR009 RR016 RR022 RR023 RR034",
    body=NewSimulation,
)
def create_simulation(country_id: str) -> Reply:
    """Return the newest simulation of this population and policy. Create it with 201 when there is none."""
    return rows.get_or_create("public.get_or_create_simulation", "simulation", country_id, body(NewSimulation))


@simulations.get("/<country_id>/simulation/<int:simulation_id>")
@describes(StoredSimulation, "RR007 RR008")
def get_simulation(country_id: str, simulation_id: int) -> Reply:
    """The stored simulation."""
    return rows.get("public.get_simulation", simulation_id=simulation_id, country_id=country_id)


@simulations.patch("/<country_id>/simulation")
@describes(StoredSimulation, "RR007 RR008 RR011 RR016 RR020 RR022 RR027 RR028 RR030", body=rows.Update)
def update_simulation(country_id: str) -> Reply:
    """Write the values that are not null, and return the simulation."""
    return rows.update("public.update_simulation", "simulation", country_id)


def _recent(country_id: str | None) -> Reply:
    given = last_values().get("max_results", "")
    wanted = max(-(2**63), min(int(given), 2**63 - 1)) if _INTEGER.fullmatch(given) else 100
    found = call("public.recent_cache_rows", max_rows=wanted, country_id=country_id)
    return success(None, [json.loads(row["cache_row"]) for row in found])


@simulations.get("/simulations")
@describes(list[dict[str, Any]], query=Recent)
def list_recent() -> Reply:
    """The rows of the economy cache that were started last, newest first."""
    return _recent(None)


@simulations.get("/<country_id>/simulations")
@describes(list[dict[str, Any]], "RR008", query=Recent)
def list_recent_of_country(country_id: str) -> Reply:
    """The rows of the country's economy cache that were started last, newest first."""
    return _recent(country_id)
