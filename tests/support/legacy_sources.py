"""Legacy databases in SQLite that a test makes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

# Without types or constraints, so that a test can store what a legacy database should not hold.
TABLES = {
    "simulations": {
        "id": 1,
        "country_id": "us",
        "api_version": "0.0.0",
        "population_id": "state/ny",
        "population_type": "geography",
        "policy_id": 2,
        "status": "complete",
        "output": '{"budget": 1}',
        "error_message": None,
    },
    "report_outputs": {
        "id": 1,
        "country_id": "us",
        "simulation_1_id": 1,
        "simulation_2_id": None,
        "api_version": "r147f26ed1",
        "status": "complete",
        "output": '{"budget": 2}',
        "error_message": None,
        "year": "2025",
    },
    "reform_impact": {
        "reform_impact_id": 1,
        "baseline_policy_id": 2,
        "reform_policy_id": 2,
        "country_id": "us",
        "region": "state/ny",
        "dataset": "default",
        "time_period": "2025",
        "options_json": "{}",
        "options_hash": "[]",
        "api_version": "e158e63ef1",
        "reform_impact_json": '{"budget": 3}',
        "status": "ok",
        "message": None,
        "start_time": "2026-04-01 00:01:00",
        "end_time": None,
        "execution_id": "job",
    },
}


class Legacy:
    """A legacy database in SQLite with one valid row a table, to which a test adds others."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for table, values in TABLES.items():
            self.execute(f"create table {table} ({', '.join(values)})")
            self.add(table)

    def execute(self, statement: str, values: tuple[Any, ...] = ()) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("pragma synchronous = off")
            connection.execute(statement, values)

    def add(self, table: str, **values: Any) -> None:
        row = {**TABLES[table], **values}
        places = ", ".join("?" * len(row))
        self.execute(f"insert into {table} ({', '.join(row)}) values ({places})", tuple(row.values()))  # noqa: S608
