"""Routes of simulations: get, create or update one."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from flask import Blueprint
from pydantic import Field

from pyapi.api import rows
from pyapi.api.openapi import Stored, describes
from pyapi.api.requests import Body, Reply, Text, body, call, success

__all__ = ["simulations"]

simulations = Blueprint("simulations", __name__)


class NewSimulation(Body):
    """The key of a simulation."""

    population_id: Text
    population_type: Text
    policy_id: Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]


class StoredSimulation(Stored):
    """A simulation as it is stored. output is JSON text."""

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


@simulations.post("/<country_id>/simulation")
@describes(
    {HTTPStatus.OK: StoredSimulation, HTTPStatus.CREATED: StoredSimulation},
    "RR004 RR008 RR009 RR016",
    body=NewSimulation,
)
def create_simulation(country_id: str) -> Reply:
    """Return the newest simulation of this population and policy. Create it with 201 when there is none."""
    return rows.get_or_create("public.get_or_create_simulation", "simulation", country_id, body(NewSimulation))


@simulations.get("/<country_id>/simulation/<int:simulation_id>")
@describes(StoredSimulation, "RR007 RR008")
def get_simulation(country_id: str, simulation_id: int) -> Reply:
    """The stored simulation."""
    [simulation] = call("public.get_simulation", simulation_id=simulation_id, country_id=country_id)
    return success("Simulation found", simulation)


@simulations.patch("/<country_id>/simulation")
@describes(StoredSimulation, "RR007 RR008 RR011 RR016", body=rows.Update)
def update_simulation(country_id: str) -> Reply:
    """Write the values that are not null, and return the simulation."""
    return rows.update("public.update_simulation", "simulation", country_id)
