"""Small factories: one row of a table each, with every value that a test does not name filled in."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import psycopg
import pytest

Connection = psycopg.Connection[dict[str, Any]]

VERSIONS = {
    "us": {"economy_impact": "e158e63ef1", "report_output": "r147f26ed1", "package": "1.633.2"},
    "uk": {"economy_impact": "e14ffef0ad", "report_output": "r13d55aef1", "package": "2.31.0"},
}


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


def snapshot(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Every row of the three tables, outputs as their exact text, to compare before and after."""
    return {
        "report_outputs": connection.execute(
            "select report.*, output::text as output from public.report_outputs as report order by id"
        ).fetchall(),
        "simulations": connection.execute(
            "select simulation.*, output::text as output from public.simulations as simulation order by id"
        ).fetchall(),
        "reform_impact": connection.execute(
            "select impact.*, reform_impact_json::text as reform_impact_json, options_json::text as options_json "
            "from public.reform_impact as impact order by reform_impact_id"
        ).fetchall(),
    }


def one(connection: Connection, statement: str, *arguments: Any) -> dict[str, Any]:
    """Run a statement and return its first row."""
    row = connection.execute(statement, arguments).fetchone()
    assert row is not None, f"no row from: {statement}"
    return dict(row)


def rerun(connection: Connection, report_id: int | None, country_id: str | None = None) -> dict[str, Any]:
    """Rerun a report as a DBA types it and return its result."""
    called = one(connection, "call rerun_report(%s::bigint, country_id => %s)", report_id, country_id)
    result: dict[str, Any] = called["result"]
    return result


def add_economy_report(connection: Connection, **values: Any) -> tuple[int, int, int]:
    """A report of us for 2025, state/ny, policies 2 and 3, as add_reform_impact; its id and its simulations' ids."""
    first, second = add_simulation(connection, policy_id=2), add_simulation(connection, policy_id=3)
    return add_report(connection, first, second, **values), first, second


def undo(connection: Connection, rerun_id: int, *, force: bool = False) -> dict[str, Any]:
    """Undo an act as a DBA types it and return its result."""
    result: dict[str, Any] = one(connection, "call undo_rerun(%s, %s)", rerun_id, force)["result"]
    return result


def newest_act(connection: Connection) -> dict[str, Any]:
    """The row of pgreprise.rerun that was written last."""
    return one(connection, "select * from pgreprise.rerun order by rerun_id desc limit 1")


def without_runs(state: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """A snapshot without the numbers of runs, which never go back."""
    return {
        table: [{name: value for name, value in row.items() if name != "run_sequence"} for row in rows]
        for table, rows in state.items()
    }


class Refusal(NamedTuple):
    """What the database says when it refuses: code, message, detail as the JSON object that it is, hint."""

    code: str | None
    message: str | None
    detail: dict[str, Any] | None
    hint: str | None


def refusal(
    connection: Connection,
    statement: str,
    *arguments: Any,
    look: Callable[[Connection], dict[str, list[dict[str, Any]]]] | None = None,
) -> Refusal:
    """Run a statement that the database must refuse, and return what it says. Nothing that ``look`` sees may change."""
    look = look or everything
    before = look(connection)
    with pytest.raises(psycopg.Error) as caught, connection.transaction():
        connection.execute(statement, arguments)
    assert look(connection) == before
    said = caught.value.diag
    detail = json.loads(said.message_detail) if said.message_detail else None
    return Refusal(said.sqlstate, said.message_primary, detail, said.message_hint)


def everything(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """The snapshot, and every row of the routines' own tables."""
    tables = connection.execute(
        "select relname as name from pg_class where relnamespace = 'pgreprise'::regnamespace and relkind = 'r'"
    ).fetchall()
    own = {
        table["name"]: connection.execute(
            psycopg.sql.SQL("select entry::text as entry from pgreprise.{} as entry order by 1").format(
                psycopg.sql.Identifier(table["name"])
            )
        ).fetchall()
        for table in tables
    }
    return {**snapshot(connection), **own}


def changed_tables(before: dict[str, list[dict[str, Any]]], after: dict[str, list[dict[str, Any]]]) -> set[str]:
    """The tables that are not in ``after`` as they were in ``before``, two results of ``everything``."""
    return {table for table in before.keys() | after.keys() if before.get(table) != after.get(table)}
