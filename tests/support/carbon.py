"""What the tests of the carbon domain share: rows, callers with claims, and what has been refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from tests.support import refusals
from tests.support.databases import Connection
from tests.support.factories import insert
from tests.support.refusals import Refusal
from tests.support.snapshots import State, texts
from tests.support.statements import one

TABLES = ("units", "carbon_projects", "carbon_reports", "carbon_report_modules", "data_entries", "data_entry_emissions")
DAY = 24 * 3600
# A moment on a whole second, and as last_updated has it.
NOW = "2026-05-05 12:00:00+00"
NOW_EPOCH = 1777982400

# A type of emissions for each module, and one of sums.
EMISSION_TYPES = {1: 10001, 2: 50203, 3: 6010101, 4: 80100, 5: 90600, 6: 100100, 7: 110102, 8: 70200}
ROLLUP = 40000
# A type of entries for each module.
ENTRY_TYPES = {1: 1, 2: 20, 3: 30, 4: 10, 5: 60, 6: 70, 7: 40, 8: 50}

PRINCIPAL = "calco2.user.principal"
STANDARD = "calco2.user.standard"
METIER = "calco2.backoffice.metier"
ADMIN = "calco2.backoffice.admin"
READ = "reports:read"
WRITE = "reports:read reports:write"


def role(name: str, kind: str, institutional_id: str | None = None) -> dict[str, Any]:
    """One element of the claim "roles"."""
    on = {"kind": kind, "institutional_id": institutional_id}
    return {"role": name, "on": {key: value for key, value in on.items() if value is not None}}


def claims(*roles: dict[str, Any], scope: str = WRITE) -> dict[str, Any]:
    """The claims of a token."""
    return {"sub": "alice", "scope": scope, "roles": list(roles)}


# Who calls an API without tokens: the one role that may do everything everywhere.
EVERYWHERE = claims(role("pgreprise.operator", "global"))


@contextmanager
def acting(connection: Connection, who: dict[str, Any] | None, database_role: str = "pgreprise_api") -> Iterator[None]:
    """Let a connection act as the API does for a token with these claims."""
    connection.execute(psycopg.sql.SQL("set role {}").format(psycopg.sql.Identifier(database_role)))
    setting = "" if who is None else json.dumps(who)
    connection.execute("select set_config('request.jwt.claims', %s, false)", (setting,))
    try:
        yield
    finally:
        connection.execute("reset role")
        connection.execute("select set_config('request.jwt.claims', '', false)")


def add_unit(connection: Connection, institutional_id: str | None = "0184", name: str = "Laboratory") -> int:
    """A unit; returns its id."""
    return insert(connection, "units", "id", {"institutional_id": institutional_id, "name": name})


def add_report(
    connection: Connection, unit_id: int, year: int = 2025, report_type: str = "Calculator", **values: Any
) -> int:
    """A report with its eight modules, updated at NOW, in the unit's project of the type; returns its id."""
    project = connection.execute(
        "select id from public.carbon_projects where unit_id = %s and carbon_report_type = %s", (unit_id, report_type)
    ).fetchone()
    project_id = (
        project["id"]
        if project
        else insert(connection, "carbon_projects", "id", {"unit_id": unit_id, "carbon_report_type": report_type})
    )
    report_id = insert(
        connection,
        "carbon_reports",
        "id",
        {
            "unit_id": unit_id,
            "carbon_project_id": project_id,
            "year": year,
            "last_updated": NOW_EPOCH,
            "completion_progress": "0/8",
            **values,
        },
    )
    connection.execute(
        "insert into public.carbon_report_modules (carbon_report_id, module_type_id) select %s, generate_series(1, 8)",
        (report_id,),
    )
    return report_id


def module_id(connection: Connection, report_id: int, module_type_id: int) -> int:
    """The id of a report's module."""
    found = one(
        connection,
        "select id from public.carbon_report_modules where carbon_report_id = %s and module_type_id = %s",
        report_id,
        module_type_id,
    )
    return int(found["id"])


def add_entry(
    connection: Connection,
    report_id: int,
    module_type_id: int,
    *kilograms: float,
    fte: float | None = None,
    data_entry_type_id: int | None = None,
    rollup: float | None = None,
) -> int:
    """An entry with an emission of each of the kilograms, and perhaps a roll-up; returns its id."""
    entry = insert(
        connection,
        "data_entries",
        "id",
        {
            "carbon_report_module_id": module_id(connection, report_id, module_type_id),
            "data_entry_type_id": data_entry_type_id or ENTRY_TYPES[module_type_id],
            "data": {} if fte is None else {"fte": fte},
        },
    )
    emissions = [(EMISSION_TYPES[module_type_id], kg) for kg in kilograms]
    for emission_type_id, kg in emissions if rollup is None else [*emissions, (ROLLUP, rollup)]:
        insert(
            connection,
            "data_entry_emissions",
            "id",
            {"data_entry_id": entry, "emission_type_id": emission_type_id, "kg_co2eq": kg},
        )
    return entry


def set_status(connection: Connection, report_id: int, status: int, *module_types: int) -> None:
    """Give modules a status, without what follows from it."""
    connection.execute(
        "update public.carbon_report_modules set status = %s where carbon_report_id = %s and module_type_id = any (%s)",
        (status, report_id, list(module_types)),
    )


def snapshot(connection: Connection) -> State:
    """Every row of the carbon tables, to compare before and after."""
    return texts(connection, "public", *TABLES)


def refusal(connection: Connection, statement: str, *arguments: Any) -> Refusal:
    """As ``refusals.refusal``, with the carbon tables compared before and after."""

    def look(_: Connection) -> State:
        acts_as = one(connection, "select current_user as name")["name"]
        connection.execute("reset role")
        try:
            return snapshot(connection)
        finally:
            connection.execute(psycopg.sql.SQL("set role {}").format(psycopg.sql.Identifier(acts_as)))

    return refusals.refusal(connection, statement, *arguments, look=look)


def updated_before(connection: Connection, report_id: int, seconds: int | None) -> None:
    """Let a report have been updated that many seconds before now, or never."""
    connection.execute(
        "update public.carbon_reports set last_updated = floor(extract(epoch from now())) - %s::bigint where id = %s",
        (seconds, report_id),
    )
