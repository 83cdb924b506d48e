"""What requests about carbon reports send and get: the type of report in the query, bodies, rows."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from flask import request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError
from werkzeug.exceptions import UnprocessableEntity

from pyapi.api import requests
from pyapi.api.openapi import Stored

__all__ = [
    "UNUSABLE",
    "CarbonBody",
    "CarbonQuery",
    "JsonText",
    "Module",
    "StoredCarbonReport",
    "body",
    "carbon_project_type",
]

UNUSABLE = HTTPStatus.UNPROCESSABLE_ENTITY

_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)


class CarbonQuery(BaseModel):
    """What the query says, read by carbon_project_type()."""

    carbon_project_type: Annotated[
        int, Field(ge=0, le=2, description="The type of report: 0 Calculator, 1 Simulator_Explore, 2 Simulator_Plan.")
    ] = 0


class StoredCarbonReport(Stored):
    """A carbon report; last_updated is in seconds since 1970."""

    id: int
    year: int
    reference_year: int | None
    unit_id: int
    carbon_project_id: int
    stats: Any
    last_updated: int | None
    completion_progress: str | None
    overall_status: int


class Module(Stored):
    """A module of a carbon report; status is 0 not started, 1 in progress, 2 validated."""

    id: int
    carbon_report_id: int
    module_type_id: int
    status: int
    stats: Any


def carbon_project_type() -> int:
    """The query's carbon_project_type, 0 where it is absent; which there are, the database says.

    Raises UnprocessableEntity when it is not an integer.
    """
    given = request.args.get("carbon_project_type", "0")
    if _INTEGER.fullmatch(given) is None:
        raise UnprocessableEntity("carbon_project_type in the query is not an integer.")
    return int(given)


class CarbonBody(BaseModel):
    """A request's body: values of exactly these JSON types; others that the front end sends do not matter."""

    model_config = ConfigDict(strict=True, extra="ignore")


def _json_text(value: object) -> str | None:
    if value is None:
        return None
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError as error:
        raise PydanticCustomError("not_json", "NaN, Infinity and numbers beyond a double are not JSON") from error


# Any JSON value as its text; the database judges what it may be.
JsonText = Annotated[str | None, BeforeValidator(_json_text), WithJsonSchema({"description": "Any JSON, or null."})]

Model = TypeVar("Model", bound=BaseModel)


def body(model: type[Model]) -> Model:
    """The request's JSON body, as ``pyapi.api.requests.body``; one that cannot be used is a 422 here."""
    return requests.body(model, unusable=UnprocessableEntity)
