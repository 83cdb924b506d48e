"""Simulations: read one, get or create one, update one."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from flask import Blueprint
from pydantic import Field

from pyapi.api.openapi import Stored, describes
from pyapi.api.requests import Body, Reply, Text, Update, body, call, success

__all__ = ["simulations"]

simulations = Blueprint("simulations", __name__)


class NewSimulation(Body):
    """The key of a simulation."""

    population_id: Text
    population_type: Text
    policy_id: Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]


class StoredSimulation(Stored):
    """A simulation as it is stored; output is JSON text."""

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
    """The newest simulation of this population and policy: 201 when it had to be created, else 200."""
    wanted = body(NewSimulation)
    [simulation] = call(
        "public.get_or_create_simulation",
        columns="(stored).*, created",
        country_id=country_id,
        **wanted.model_dump(),
    )
    if simulation.pop("created"):
        return success("Simulation created successfully", simulation, HTTPStatus.CREATED)
    return success("Simulation already exists", simulation)


@simulations.get("/<country_id>/simulation/<int:simulation_id>")
@describes(StoredSimulation, "RR007 RR008")
def get_simulation(country_id: str, simulation_id: int) -> Reply:
    """The stored simulation."""
    [simulation] = call("public.get_simulation", simulation_id=simulation_id, country_id=country_id)
    return success("Simulation found", simulation)


@simulations.patch("/<country_id>/simulation")
@describes(StoredSimulation, "RR007 RR008 RR011 RR016", body=Update)
def update_simulation(country_id: str) -> Reply:
    """Write the values that are given and not null, and return the simulation."""
    update = body(Update)
    [simulation] = call(
        "public.update_simulation",
        simulation_id=update.id,
        country_id=country_id,
        **update.model_dump(exclude={"id"}),
    )
    return success("Simulation updated successfully", simulation)
