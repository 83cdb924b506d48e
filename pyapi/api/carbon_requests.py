"""What the carbon routes share: the type of report in the query, bodies of requests, rows of replies."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from flask import request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.exceptions import UnprocessableEntity

from pyapi.api import requests
from pyapi.api.openapi import Stored

__all__ = [
    "UNUSABLE",
    "CarbonBody",
    "CarbonQuery",
    "Module",
    "StoredCarbonReport",
    "body",
    "carbon_project_type",
    "integers",
    "query",
]

UNUSABLE = HTTPStatus.UNPROCESSABLE_ENTITY

# In its one spelling, so not as 04.
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")


class CarbonQuery(BaseModel):
    """The parameters of the query, for the OpenAPI document. carbon_project_type() reads them."""

    carbon_project_type: Annotated[
        int, Field(ge=0, le=2, description="The type of report: 0 Calculator, 1 Simulator_Explore, 2 Simulator_Plan.")
    ] = 0


class StoredCarbonReport(Stored):
    """A carbon report. last_updated is in seconds since 1970."""

    id: int
    year: int
    reference_year: int | None
    unit_id: int
    carbon_project_id: int | None
    stats: Any
    last_updated: int | None
    completion_progress: str | None
    overall_status: int


class Module(Stored):
    """A module of a carbon report. status is 0 (not started), 1 (in progress) or 2 (validated)."""

    id: int
    carbon_report_id: int
    module_type_id: int
    status: int
    stats: Any


def carbon_project_type() -> int:
    """The query's carbon_project_type, the last if it is repeated, 0 by default. The database checks that it exists.

    Raises UnprocessableEntity when it is not an integer.
    """
    given = requests.last_values().get("carbon_project_type", "0")
    if _INTEGER.fullmatch(given) is None:
        raise UnprocessableEntity("carbon_project_type in the query is not an integer.")
    return int(given)


def integers(name: str) -> list[int]:
    """All values of a parameter of the query that may be repeated. An unknown number is for the database to ignore.

    Raises UnprocessableEntity when one is not an integer.
    """
    given = request.args.getlist(name)
    if not all(map(_INTEGER.fullmatch, given)):
        raise UnprocessableEntity(f"{name} in the query is not an integer.")
    return [int(value) for value in given]


class CarbonBody(BaseModel):
    """The body of a request. Values must have exactly these JSON types; values with other names are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore")


Model = TypeVar("Model", bound=BaseModel)


def query(model: type[Model]) -> Model:
    """The parameters of the query but carbon_project_type. The last of a repeated one counts; others are ignored.

    Raises UnprocessableEntity when a value cannot be used.
    """
    wanted = model.model_fields.keys() - {"carbon_project_type"}
    try:
        return model.model_validate({name: value for name, value in requests.last_values().items() if name in wanted})
    except ValidationError as error:
        raise UnprocessableEntity(f"The query cannot be used: {requests.problems(error)}.") from error


def body(model: type[Model]) -> Model:
    """The request's JSON body, as ``pyapi.api.requests.body``. A body that cannot be used is answered with 422."""
    return requests.body(model, unusable=UnprocessableEntity)
