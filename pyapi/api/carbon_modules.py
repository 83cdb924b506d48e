"""Modules and their entries: which of a unit's reports of a year is meant, the query's carbon_project_type says."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, jsonify

from pyapi.api.carbon_arguments import (
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


class Entry(CarbonBody):
    """An entry: what the user gave, and the kilograms that the application made of it."""

    data: JsonText = None
    emissions: JsonText = None


class Emission(Stored):
    """What an entry emits; a roll-up repeats others of its entry as a sum."""

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


@modules.get("", strict_slashes=False)
@describes(ModuleWithEntries, "RC001 RC002 RC003 RC005 RC006", query=CarbonQuery, unusable=UNUSABLE)
def get_module(unit_id: int, year: int, module: str) -> Reply:
    """The module, with its entries."""
    [found] = call(
        "public.get_carbon_module",
        columns="(stored).*, entries",
        unit_id=unit_id,
        year=year,
        module=module,
        carbon_project_type=carbon_project_type(),
    )
    return jsonify(found), HTTPStatus.OK


@modules.get(_ENTRIES, strict_slashes=False)
@describes(list[StoredEntry], "RC001 RC002 RC003 RC005 RC006", query=CarbonQuery, unusable=UNUSABLE)
def list_entries(unit_id: int, year: int, module: str, data_entry_type_id: int) -> Reply:
    """The module's entries of one type."""
    found = call(
        "public.get_data_entries",
        unit_id=unit_id,
        year=year,
        module=module,
        data_entry_type_id=data_entry_type_id,
        carbon_project_type=carbon_project_type(),
    )
    return jsonify(found), HTTPStatus.OK


@modules.post(_ENTRIES, strict_slashes=False)
@describes(
    {HTTPStatus.CREATED: StoredEntry},
    "RC001 RC002 RC003 RC005 RC006 RC008",
    body=Entry,
    query=CarbonQuery,
    unusable=UNUSABLE,
)
def create_entry(unit_id: int, year: int, module: str, data_entry_type_id: int) -> Reply:
    """Put an entry into the module."""
    wanted = body(Entry)
    [entry] = call(
        "public.create_data_entry",
        unit_id=unit_id,
        year=year,
        module=module,
        data_entry_type_id=data_entry_type_id,
        carbon_project_type=carbon_project_type(),
        **wanted.model_dump(),
    )
    return jsonify(entry), HTTPStatus.CREATED


@modules.get(_ENTRY, strict_slashes=False)
@describes(StoredEntry, "RC001 RC002 RC003 RC005 RC006", query=CarbonQuery, unusable=UNUSABLE)
def get_entry(unit_id: int, year: int, module: str, data_entry_type_id: int, item_id: int) -> Reply:
    """One entry."""
    [entry] = call(
        "public.get_data_entries",
        unit_id=unit_id,
        year=year,
        module=module,
        data_entry_type_id=data_entry_type_id,
        item_id=item_id,
        carbon_project_type=carbon_project_type(),
    )
    return jsonify(entry), HTTPStatus.OK


@modules.patch(_ENTRY, strict_slashes=False)
@describes(StoredEntry, "RC001 RC002 RC003 RC005 RC006 RC008", body=Entry, query=CarbonQuery, unusable=UNUSABLE)
def update_entry(unit_id: int, year: int, module: str, data_entry_type_id: int, item_id: int) -> Reply:
    """Replace the data or the emissions of an entry, or both."""
    wanted = body(Entry)
    [entry] = call(
        "public.update_data_entry",
        unit_id=unit_id,
        year=year,
        module=module,
        data_entry_type_id=data_entry_type_id,
        item_id=item_id,
        carbon_project_type=carbon_project_type(),
        **wanted.model_dump(),
    )
    return jsonify(entry), HTTPStatus.OK


@modules.delete(_ENTRY, strict_slashes=False)
@describes({HTTPStatus.NO_CONTENT: None}, "RC001 RC002 RC003 RC005 RC006", query=CarbonQuery, unusable=UNUSABLE)
def delete_entry(unit_id: int, year: int, module: str, data_entry_type_id: int, item_id: int) -> Reply:
    """Delete an entry; the reply has no content."""
    call(
        "public.delete_data_entry",
        unit_id=unit_id,
        year=year,
        module=module,
        data_entry_type_id=data_entry_type_id,
        item_id=item_id,
        carbon_project_type=carbon_project_type(),
    )
    return Response(), HTTPStatus.NO_CONTENT
