"""The page of the history: who did what, when and why, each act with its undo."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, get_args

from flask import Blueprint
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from pyapi.api.history import Kind, only_written_out
from pyapi.api.requests import RowId, Text, Written, query
from pyapi.console.pages import Optional, Page, page, paged, rows

__all__ = ["history"]

history = Blueprint("history", __name__, url_prefix="/history")

_PAGE = 50


def _with_zone(value: datetime | None) -> datetime | None:
    # A browser's field for a time has no zone; the label of ours says that it is UTC.
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


_Moment = Annotated[datetime | None, BeforeValidator(only_written_out), Optional, AfterValidator(_with_zone)]


class Wanted(BaseModel):
    """Which acts are listed. Fields that are empty do not count."""

    model_config = ConfigDict(extra="ignore")

    actor: Annotated[Text | None, Optional] = None
    kind: Annotated[Kind | None, Optional] = None
    country_id: Annotated[Text | None, Optional] = None
    report_id: Annotated[RowId | None, Written, Optional] = None
    batch_id: Annotated[RowId | None, Written, Optional] = None
    since: _Moment = None
    until: _Moment = None
    before: Annotated[RowId | None, Written, Optional] = None


@history.get("")
def show() -> Page:
    """What was done to all reports, the newest act first."""
    wanted = query(Wanted).model_dump(exclude_none=True)
    found = rows("rerun_history", max_rows=_PAGE + 1, **wanted)
    given = {
        name: value.strftime("%Y-%m-%dT%H:%M:%S") if isinstance(value, datetime) else value
        for name, value in wanted.items()
    }
    return page("history", **paged(found, given, "before", "rerun_id", _PAGE), kinds=get_args(Kind))
