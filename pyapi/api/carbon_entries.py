"""The entries of the modules of carbon reports: creating, getting, changing and deleting one.

A path names a unit, a year, a module and a type of entries. The query's carbon_project_type says which of the unit's
reports is meant.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from flask import Blueprint, Response, jsonify
from pydantic import AfterValidator, RootModel
from pydantic_core import PydanticCustomError

from pyapi.api.carbon_requests import UNUSABLE, CarbonQuery, body, carbon_project_type
from pyapi.api.openapi import Stored, describes
from pyapi.api.requests import Reply, call, json_text

__all__ = ["entries"]

entries = Blueprint("entries", __name__, url_prefix="/modules/<int:unit_id>/<int:year>/<module>")

_ENTRIES = "/<entry_type>"
_ENTRY = f"{_ENTRIES}/<int:item_id>"
# The SQLSTATEs of each routine here, and of those that write a value.
_READ = "RC001 RC002 RC003 RC005 RC006 RC015"
_DELETE = f"{_READ} RC017 RC018"
_WRITE = f"{_DELETE} RC008 RC013 RC014 RC019"


# The two members of the body of a caller that has computed emissions.
_PARTS = ("data", "emissions")


def _json(fields: dict[str, Any]) -> dict[str, Any]:
    json_text(fields)
    # No type of entries has fields of these names. Fields beside them would be lost in silence.
    beside = [name for name in fields if name not in _PARTS]
    if len(beside) < len(fields) and beside:
        raise PydanticCustomError(
            "beside",
            "With data or emissions in the body, the fields belong into data, and not beside it: {names}",
            {"names": ", ".join(name[:64] for name in beside[:3])},
        )
    return fields


class Entry(RootModel[Annotated[dict[str, Any], AfterValidator(_json)]]):
    """The fields of an entry; or {"data": the fields, "emissions": [...]} of a caller that has computed emissions.

    The two are not mixed: with data or emissions, nothing else may stand beside them.
    """


class StoredEntry(Stored):
    """An entry. data has its fields, primary_factor_id and kg_co2eq. status is 0 (pending) for new entries."""

    id: int
    data_entry_type_id: int
    carbon_report_module_id: int
    status: int | None
    data: dict[str, Any]


# The parts of a path have the names of the routine's parameters, so each view passes its ``path`` on.
def _call(routine: str, path: dict[str, Any], **values: Any) -> list[dict[str, Any]]:
    return call(routine, **path, carbon_project_type=carbon_project_type(), **values)


def _given() -> dict[str, Any]:
    """The fields and the emissions of the body, as JSON texts."""
    given = body(Entry).root
    parts = given if given.keys() & set(_PARTS) else {"data": given}
    return {name: None if parts.get(name) is None else json_text(parts[name]) for name in _PARTS}


@entries.post(_ENTRIES, strict_slashes=False)
@describes({HTTPStatus.CREATED: StoredEntry}, _WRITE, body=Entry, query=CarbonQuery, unusable=UNUSABLE)
def create_entry(**path: Any) -> Reply:
    """Create an entry in the module. Its emissions are not computed here."""
    [entry] = _call("public.create_data_entry", path, **_given())
    return jsonify(entry), HTTPStatus.CREATED


@entries.get(_ENTRY, strict_slashes=False)
@describes(StoredEntry, _READ, query=CarbonQuery, unusable=UNUSABLE)
def get_entry(**path: Any) -> Reply:
    """One entry, which is found only in its own unit, year, module and type."""
    [entry] = _call("public.get_data_entry", path)
    return jsonify(entry), HTTPStatus.OK


@entries.patch(_ENTRY, strict_slashes=False)
@describes(StoredEntry, _WRITE, body=Entry, query=CarbonQuery, unusable=UNUSABLE)
def update_entry(**path: Any) -> Reply:
    """Change the given fields of an entry; others stay. Emissions of fields that changed are deleted."""
    [entry] = _call("public.update_data_entry", path, **_given())
    return jsonify(entry), HTTPStatus.OK


@entries.delete(_ENTRY, strict_slashes=False)
@describes({HTTPStatus.NO_CONTENT: None}, _DELETE, query=CarbonQuery, unusable=UNUSABLE)
def delete_entry(**path: Any) -> Reply:
    """Delete an entry. The reply has no content."""
    _call("public.delete_data_entry", path)
    return Response(), HTTPStatus.NO_CONTENT
