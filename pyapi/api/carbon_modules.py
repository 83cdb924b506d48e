"""The modules of carbon reports and their entries.

A path names a unit, a year and a module. The query's carbon_project_type says which of the unit's reports is meant.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, jsonify

from pyapi.api.carbon_requests import (
    UNUSABLE,
    CarbonBody,
    CarbonQuery,
    JsonText,
    Module,
    body,
    carbon_project_type,
)
from pyapi.api.openapi import Stored, describes
from pyapi.api.requests import Reply, call

__all__ = ["modules"]

modules = Blueprint("modules", __name__, url_prefix="/modules/<int:unit_id>/<int:year>/<module>")

_ENTRIES = "/<int:data_entry_type_id>"
_ENTRY = f"{_ENTRIES}/<int:item_id>"
# The SQLSTATEs of each routine here; those that write a value may also raise the last.
_READ = "RC001 RC002 RC003 RC005 RC006"
_WRITE = f"{_READ} RC008"


class Entry(CarbonBody):
    """An entry: the values that the user gave, and the emissions in kilograms that the application computed."""

    data: JsonText = None
    emissions: JsonText = None


class Emission(Stored):
    """An emission of an entry. A roll-up is the sum of others of the same entry."""

    emission_type_id: int
    scope: int | None
    kg_co2eq: float
    is_rollup: bool


class StoredEntry(Stored):
    """An entry with its emissions."""

    id: int
    carbon_report_module_id: int
    data_entry_type_id: int
    data: Any
    emissions: list[Emission]


class ModuleWithEntries(Module):
    """A module of a carbon report with its entries."""

    entries: list[StoredEntry]


# The parts of a path have the names of the routine's parameters, so each view passes its ``path`` on.
def _call(routine: str, path: dict[str, Any], *, columns: str = "*", **values: Any) -> list[dict[str, Any]]:
    return call(routine, columns=columns, **path, carbon_project_type=carbon_project_type(), **values)


@modules.get("", strict_slashes=False)
@describes(ModuleWithEntries, _READ, query=CarbonQuery, unusable=UNUSABLE)
def get_module(**path: Any) -> Reply:
    """The module with its entries."""
    [module] = _call("public.get_carbon_module", path, columns="(stored).*, entries")
    return jsonify(module), HTTPStatus.OK


@modules.get(_ENTRIES, strict_slashes=False)
@describes(list[StoredEntry], _READ, query=CarbonQuery, unusable=UNUSABLE)
def list_entries(**path: Any) -> Reply:
    """The entries of one type in the module."""
    return jsonify(_call("public.get_data_entries", path)), HTTPStatus.OK


@modules.post(_ENTRIES, strict_slashes=False)
@describes({HTTPStatus.CREATED: StoredEntry}, _WRITE, body=Entry, query=CarbonQuery, unusable=UNUSABLE)
def create_entry(**path: Any) -> Reply:
    """Create an entry in the module."""
    [entry] = _call("public.create_data_entry", path, **body(Entry).model_dump())
    return jsonify(entry), HTTPStatus.CREATED


@modules.get(_ENTRY, strict_slashes=False)
@describes(StoredEntry, _READ, query=CarbonQuery, unusable=UNUSABLE)
def get_entry(**path: Any) -> Reply:
    """One entry."""
    [entry] = _call("public.get_data_entries", path)
    return jsonify(entry), HTTPStatus.OK


@modules.patch(_ENTRY, strict_slashes=False)
@describes(StoredEntry, _WRITE, body=Entry, query=CarbonQuery, unusable=UNUSABLE)
def update_entry(**path: Any) -> Reply:
    """Replace the data or the emissions of an entry, or both."""
    [entry] = _call("public.update_data_entry", path, **body(Entry).model_dump())
    return jsonify(entry), HTTPStatus.OK


@modules.delete(_ENTRY, strict_slashes=False)
@describes({HTTPStatus.NO_CONTENT: None}, _READ, query=CarbonQuery, unusable=UNUSABLE)
def delete_entry(**path: Any) -> Reply:
    """Delete an entry. The reply has no content."""
    _call("public.delete_data_entry", path)
    return Response(), HTTPStatus.NO_CONTENT
