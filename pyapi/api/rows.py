"""What the routes of reports and simulations share: both are stored rows, which callers create and update."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from pyapi.api.openapi import Stored
from pyapi.api.requests import Body, OpenBody, Reply, RowId, Text, body, call, call_tagged, json_text, success, tagged

__all__ = ["Output", "RunTimes", "Update", "get", "get_or_create", "get_tagged", "update", "written"]

# An even number of backslashes before it means that the escape is not itself escaped. Outside strings, JSON has no
# backslashes.
_NUL_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def _output_text(value: object) -> object:
    """A value as JSON text. A string is kept as it is, byte for byte; PostgreSQL checks whether it is JSON."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json_text(value)
    if "\\u0000" in text and _NUL_ESCAPE.search(text):
        raise PydanticCustomError("nul", "JSON text must not contain the escape \\u0000")
    return text


RunSequence = Annotated[int, Field(ge=1, le=2**31 - 1)]
Output = Annotated[
    Text | None,
    BeforeValidator(_output_text),
    WithJsonSchema({"description": "Any JSON value. A string has to hold JSON text."}),
]


class RunTimes(Stored):
    """When a run began to wait, and was claimed, started and finished; how often it was claimed, and how long it took.

    What is not known is null.
    """

    pending_since: datetime | None
    claimed_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    attempt: int | None
    wait_seconds: float | None
    run_seconds: float | None


class Update(OpenBody):
    """PATCH: the id of the row and the new values. A value that is null or absent does not change.

    A worker sends run_sequence, the run that it read with the row. When that run has ended, the update is refused. One
    that has claimed the run sends claim_id. When the claim is over, the update is refused.
    """

    stored_as_sent = ("output",)

    id: RowId
    status: Text | None = None
    output: Output = None
    error_message: Text | None = None
    run_sequence: RunSequence | None = None
    claim_id: UUID | None = None


def _title(noun: str) -> str:
    # As the application calls them.
    return "Report output" if noun == "report" else noun.capitalize()


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row as the application shows it: a report's specification is an object, and times are in UTC."""
    row.pop("tag", None)
    if row.get("report_spec_json") is not None:
        row["report_spec_json"] = json.loads(row["report_spec_json"])
    return {
        name: value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else value
        for name, value in row.items()
    }


def get(routine: str, **arguments: Any) -> Reply:
    """Reply with one row."""
    [row] = call(routine, **arguments)
    return success(None, _shown(row))


def get_tagged(routine: str, **arguments: Any) -> Reply:
    """Reply with one row and its ETag, or with 304 where the caller has it."""
    row, tag = call_tagged(routine, **arguments)
    return tagged(None, row and _shown(row), tag)


def written(routine: str, message: str, **arguments: Any) -> Reply:
    """Call a routine that writes a row, and reply with the row."""
    [row] = call(routine, **arguments)
    return success(message, _shown(row))


def get_or_create(routine: str, noun: str, country_id: str, key: Body) -> Reply:
    """Reply with the row of a key: 201 when the routine created it, else 200."""
    [row] = call(routine, columns="(stored).*, created", country_id=country_id, **key.model_dump())
    if row.pop("created"):
        return success(f"{_title(noun)} created successfully", _shown(row), HTTPStatus.CREATED)
    return success(f"{_title(noun)} already exists", _shown(row))


def update(routine: str, noun: str, country_id: str) -> Reply:
    """Write the values of the request's body to the row, and reply with the row."""
    values = body(Update)
    arguments: dict[str, Any] = {f"{noun}_id": values.id, **values.model_dump(exclude={"id"})}
    [row] = call(routine, country_id=country_id, **arguments)
    return success(f"{_title(noun)} updated successfully", _shown(row))
