"""Small factories: one row of a table each, with every value that a test does not name filled in."""

from __future__ import annotations

import json
from typing import Any

import psycopg

from tests.support.databases import Connection

VERSIONS = {
    "us": {"economy_impact": "e158e63ef1", "report_output": "r147f26ed1", "package": "1.633.2"},
    "uk": {"economy_impact": "e14ffef0ad", "report_output": "r13d55aef1", "package": "2.31.0"},
}
# What a report, a simulation or a run shows of its times.
TIMES = (
    "requested_at",
    "pending_since",
    "claimed_at",
    "started_at",
    "finished_at",
    "attempt",
    "wait_seconds",
    "run_seconds",
)
# The scope of the cache rows that add_reform_impact makes, of the current version.
SCOPE = {
    "country_id": "us",
    "baseline_policy_id": 2,
    "reform_policy_id": 3,
    "region": "state/ny",
    "dataset": "default",
    "time_period": "2025",
    "api_version": VERSIONS["us"]["economy_impact"],
}
# What a report and a simulation show where the application has not written it.
REPORT_OF_HOST = dict.fromkeys(
    (
        "report_kind",
        "report_spec_json",
        "report_spec_schema_version",
        "report_spec_status",
        "active_run_id",
        "latest_successful_run_id",
    )
)
SIMULATION_OF_HOST = dict.fromkeys(
    ("simulation_spec_json", "simulation_spec_schema_version", "active_run_id", "latest_successful_run_id")
)
# A json text that a jsonb would not give back.
ODD_JSON = ' {"b" : 1,\n\t"a": [1.0, 1e2, 1E+2, -0],  "b":2, "\\u0061": "\\/é", "b": null } '


def without_times(row: dict[str, Any]) -> dict[str, Any]:
    """A report, a simulation or a run without its times, and without the tag that they make."""
    return {name: value for name, value in row.items() if name not in (*TIMES, "tag")}


def set_versions(connection: Connection, country_id: str = "us") -> None:
    """Make the versions of VERSIONS current for a country."""
    connection.execute(
        "select set_cache_versions(%(country_id)s, economy_impact => %(economy_impact)s, "
        "report_output => %(report_output)s, package => %(package)s)",
        {"country_id": country_id, **VERSIONS[country_id]},
    )


def insert(connection: Connection, table: str, key: str, values: dict[str, Any]) -> int:
    """Insert a row and return its id."""
    values = {name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in values.items()}
    row = connection.execute(
        psycopg.sql.SQL("insert into public.{} ({}) values ({}) returning {} as id").format(
            psycopg.sql.Identifier(table),
            psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, values)),
            psycopg.sql.SQL(", ").join(map(psycopg.sql.Placeholder, values)),
            psycopg.sql.Identifier(key),
        ),
        values,
    ).fetchone()
    assert row is not None
    return int(row["id"])


def add_simulation(connection: Connection, **values: Any) -> int:
    """A complete geography simulation of us; returns its id."""
    return insert(
        connection,
        "simulations",
        "id",
        {
            "country_id": "us",
            "api_version": "0.0.0",
            "population_id": "state/ny",
            "population_type": "geography",
            "policy_id": 2,
            "status": "complete",
            "output": {"budget": 1},
            **values,
        },
    )


def add_report(connection: Connection, simulation_1_id: int, simulation_2_id: int | None = None, **values: Any) -> int:
    """A complete report of us for 2025; returns its id."""
    return insert(
        connection,
        "report_outputs",
        "id",
        {
            "country_id": "us",
            "simulation_1_id": simulation_1_id,
            "simulation_2_id": simulation_2_id,
            "api_version": VERSIONS["us"]["report_output"],
            "status": "complete",
            "output": {"budget": 2},
            "year": "2025",
            **values,
        },
    )


def add_reform_impact(connection: Connection, **values: Any) -> int:
    """An economy cache row of us, state/ny, policies 2 and 3, 2025, current version; returns its id."""
    return insert(
        connection,
        "reform_impact",
        "reform_impact_id",
        {
            "baseline_policy_id": 2,
            "reform_policy_id": 3,
            "country_id": "us",
            "region": "state/ny",
            "dataset": "default",
            "time_period": "2025",
            "options_json": {},
            "options_hash": "[]",
            "api_version": VERSIONS["us"]["economy_impact"],
            "reform_impact_json": {"budget": 3},
            "status": "ok",
            "start_time": "2026-04-01 00:01:00",
            "execution_id": "job",
            **values,
        },
    )


def add_economy_report(connection: Connection, **values: Any) -> tuple[int, int, int]:
    """A report of us for 2025, state/ny, policies 2 and 3, as add_reform_impact; its id and its simulations' ids."""
    first, second = add_simulation(connection, policy_id=2), add_simulation(connection, policy_id=3)
    return add_report(connection, first, second, **values), first, second


def add_row(connection: Connection, table: str) -> int:
    """A row of one of the three tables; returns its id."""
    match table:
        case "simulations":
            return add_simulation(connection)
        case "report_outputs":
            return add_report(connection, 1)
        case _:
            return add_reform_impact(connection)
