"""The route of the history: what was done to all reports, by whom and why."""

from __future__ import annotations

import re
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal

from flask import Blueprint
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from pyapi.api.openapi import Stored, describes
from pyapi.api.requests import Reply, RowId, Text, Written, call, query, success

__all__ = ["Kind", "history", "only_written_out"]

history = Blueprint("history", __name__)

_LARGEST_PAGE = 1000
Kind = Literal[
    "rerun", "reset_report", "reset_simulation", "delete_reform_impacts", "undo", "cancel_run", "release_run"
]


def only_written_out(value: object) -> object:
    """The value, where it is a time that is written out; for a validator."""
    # pydantic would take a number for the seconds since 1970.
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d[Tt ]", value) is None:
        raise PydanticCustomError("time", "A time is written as 2026-01-31T17:00:00Z")
    return value


Time = Annotated[AwareDatetime, BeforeValidator(only_written_out)]


class Conditions(BaseModel):
    """Which acts are listed: those that meet every condition that is given."""

    model_config = ConfigDict(extra="forbid")

    since: Annotated[Time, Field(description="Acts from this time on.")] = None  # type: ignore[assignment]
    until: Annotated[Time, Field(description="Acts before this time.")] = None  # type: ignore[assignment]
    actor: Annotated[Text, Field(description="The person of the token, or without one the role.")] = None  # type: ignore[assignment]
    kind: Annotated[Kind, Field(description="What was done.")] = None  # type: ignore[assignment]
    country_id: Annotated[Text, Field(description="Acts on rows of this country.")] = None  # type: ignore[assignment]
    report_id: Annotated[RowId, Written, Field(description="Acts on this report.")] = None  # type: ignore[assignment]
    batch_id: Annotated[RowId, Written, Field(description="Reruns of this batch.")] = None  # type: ignore[assignment]
    rerun_id: Annotated[RowId, Written, Field(description="This act only.")] = None  # type: ignore[assignment]
    before: Annotated[RowId, Written, Field(description="The next page: acts before this rerun_id.")] = None  # type: ignore[assignment]
    max_rows: Annotated[int, Written, Field(ge=1, le=_LARGEST_PAGE, description="The length of a page.")] = 100


class Done(Stored):
    """One act: what was done, by whom and why."""

    rerun_id: int
    kind: Kind
    report_id: int | None
    country_id: str | None
    report_type: Literal["household", "geography"] | None
    run_sequence: int | None
    simulation_ids: list[int]
    economy_cache_rows_deleted: int
    batch_id: int | None
    undoes: int | None
    undone_by: int | None
    undone_at: datetime | None
    purged_at: datetime | None
    created_at: datetime
    actor: str | None
    session_role: str
    role_setting: str | None
    reason: str | None
    request_id: str | None
    client_address: str | None
    idempotency_key: str | None


@history.get("/reruns")
@describes({HTTPStatus.OK: list[Done]}, "RR008 RR016", query=Conditions)
def list_acts() -> Reply:
    """What was done to all reports and simulations, the newest act first.

    The next page begins before the rerun_id of the last one.
    """
    acts = call("public.rerun_history", **query(Conditions).model_dump(exclude_unset=True))
    return success("Acts found", acts)
