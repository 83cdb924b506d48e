"""What revisions create and drop, found in the SQL that they would run, so that no list of it has to be kept."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy.dialects import postgresql

__all__ = ["altered", "created", "dropped", "set_objects"]

_TABLE = re.compile(r"^create table (?:if not exists )?(?P<name>[\w.]+)(?P<body>.*?);$", re.MULTILINE | re.DOTALL)
_CONSTRAINT = re.compile(r"^\s*constraint (?P<name>\w+) (?:primary key|unique)", re.MULTILINE)
_TYPE = re.compile(r"^create type (?P<name>[\w.]+)", re.MULTILINE)
_ROUTINE = re.compile(r"^create or replace (?:function|procedure)\s+(?P<name>[\w.]+)", re.MULTILINE)
_INDEX = re.compile(
    r"^create index (?:concurrently )?(?:if not exists )?(?P<name>\w+) on (?P<table>[\w.]+) \((?P<columns>[\w, ]+)\)",
    re.MULTILINE,
)
_ALTERED = re.compile(r"^alter table (?P<name>public\.\w+)", re.IGNORECASE | re.MULTILINE)
_DROPPED = {
    "relations": re.compile(r"^(?:drop table|drop type) (?P<name>[\w.]+)", re.IGNORECASE | re.MULTILINE),
    "routines": re.compile(
        r"^(?:select pgreprise\.remove_routine\('[\w/]+', '|drop function )(?P<name>[\w.]+)",
        re.IGNORECASE | re.MULTILINE,
    ),
    "columns": re.compile(r"^alter table (?P<table>[\w.]+) drop column (?P<name>\w+)", re.IGNORECASE | re.MULTILINE),
}


def _text(runs: Iterable[Callable[[], None]]) -> str:
    """The SQL that functions of revisions would run."""
    written = io.StringIO()
    context = MigrationContext.configure(
        dialect=postgresql.dialect(),  # type: ignore[no-untyped-call]
        opts={"as_sql": True, "output_buffer": written, "literal_binds": True},
    )
    with Operations.context(context):
        for run in runs:
            run()
    return written.getvalue()


def created(revisions: Iterable[ModuleType]) -> dict[str, list[dict[str, Any]]]:
    """What revisions create, by kind. Raises files.TextError for the file of a routine that cannot be used."""
    text = _text(revision.upgrade for revision in revisions)
    tables = list(_TABLE.finditer(text))
    indexes = [
        {"name": found["name"], "table": found["table"], "columns": found["columns"].split(", ")}
        for found in _INDEX.finditer(text)
    ]
    made = {table["name"] for table in tables}
    altered = {found["name"] for found in _ALTERED.finditer(text)} | {index["table"] for index in indexes}
    return {
        "tables": [{"name": table["name"]} for table in tables],
        # Their indexes have these names, in the schema of the table.
        "constraints": [
            {"name": found["name"], "table": table["name"]}
            for table in tables
            for found in _CONSTRAINT.finditer(table["body"])
        ],
        "types": [{"name": found["name"]} for found in _TYPE.finditer(text)],
        "routines": [{"name": name} for name in dict.fromkeys(found["name"] for found in _ROUTINE.finditer(text))],
        "indexes": indexes,
        # Tables of earlier revisions; their owner has to do it.
        "altered": [{"name": name} for name in sorted(altered - made) if name.startswith("public.")],
    }


def altered(revisions: Iterable[ModuleType]) -> dict[str, list[dict[str, Any]]]:
    """As ``created``, where all of it is there already: only the host's tables are named, whose owner has to alter them."""
    every = created(revisions)
    tables = sorted({entry["name"] for kind in ("tables", "altered") for entry in every[kind]})
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in every}
    return {**found, "altered": [{"name": name} for name in tables if name.startswith("public.")]}


def dropped(revisions: Sequence[ModuleType]) -> dict[str, list[str]]:
    """The relations and types, routines and columns that revisions drop on the way back, as schema.name and schema.table.column.

    ``domains`` are those whose tables in public go too, where pgreprise created them.
    """
    text = _text(revision.downgrade for revision in revisions)
    found = {
        kind: [
            f"{match['table']}.{match['name']}" if kind == "columns" else match["name"]
            for match in pattern.finditer(text)
        ]
        for kind, pattern in _DROPPED.items()
    }
    return {**found, "domains": [label for revision in revisions for label in revision.branch_labels or ()]}


def set_objects(name: str, objects: dict[str, Any]) -> str:
    """The statement that hands such a list to the SQL files, as the setting pgreprise.``name``."""
    text = json.dumps(objects, separators=(",", ":"))
    return f"select pg_catalog.set_config('pgreprise.{name}', '{text}', false);"
