"""What requests about carbon reports send: the type of report in the query, and bodies."""

from __future__ import annotations

import json
import re
from typing import Annotated, TypeVar

from flask import request
from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError
from werkzeug.exceptions import UnprocessableEntity

from pyapi.routes import requests

__all__ = ["CarbonBody", "JsonText", "body", "carbon_project_type"]

_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)


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
JsonText = Annotated[str | None, BeforeValidator(_json_text)]

Model = TypeVar("Model", bound=BaseModel)


def body(model: type[Model]) -> Model:
    """The request's JSON body, as ``pyapi.routes.requests.body``; one that cannot be used is a 422 here."""
    return requests.body(model, unusable=UnprocessableEntity)
