"""What the routes of reports and simulations share: both are stored rows, which callers create and update."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from pyapi.api.requests import Body, Reply, RowId, Text, body, call, json_text, success

__all__ = ["Update", "get_or_create", "update"]

# An even number of backslashes before it means that the escape is not itself escaped. Outside strings, JSON has no
# backslashes.
_NUL_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def _output_text(value: object) -> object:
    """An object as JSON text. A string is kept as it is, byte for byte; PostgreSQL checks whether it is JSON."""
    if isinstance(value, dict):
        value = json_text(value)
    if value is not None and not isinstance(value, str):
        raise PydanticCustomError("not_json", "Give an object, or a string that holds JSON text")
    if value is not None and _NUL_ESCAPE.search(value):
        raise PydanticCustomError("nul", "JSON text must not contain the escape \\u0000")
    return value


RunSequence = Annotated[int, Field(ge=1, le=2**31 - 1)]
Output = Annotated[
    Text | None,
    BeforeValidator(_output_text),
    WithJsonSchema({"type": ["object", "string", "null"], "description": "An object, or a string that holds JSON."}),
]


class Update(Body):
    """PATCH: the id of the row and the new values. A value that is null or absent does not change.

    A worker sends run_sequence, the run that it read with the row. When that run has ended, the update is refused.
    """

    id: RowId
    status: Text | None = None
    output: Output = None
    error_message: Text | None = None
    run_sequence: RunSequence | None = None


def get_or_create(routine: str, noun: str, country_id: str, key: Body) -> Reply:
    """Reply with the row of a key: 201 when the routine created it, else 200."""
    [row] = call(routine, columns="(stored).*, created", country_id=country_id, **key.model_dump())
    if row.pop("created"):
        return success(f"{noun.capitalize()} created successfully", row, HTTPStatus.CREATED)
    return success(f"{noun.capitalize()} already exists", row)


def update(routine: str, noun: str, country_id: str) -> Reply:
    """Write the values of the request's body to the row, and reply with the row."""
    values = body(Update)
    arguments: dict[str, Any] = {f"{noun}_id": values.id, **values.model_dump(exclude={"id"})}
    [row] = call(routine, country_id=country_id, **arguments)
    return success(f"{noun.capitalize()} updated successfully", row)
