"""Legacy databases that a test makes: their rows, and a form of them in SQLite."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

# Without types or constraints, so that a test can store what a legacy database should not hold.
TABLES: dict[str, dict[str, Any]] = {
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


RUN_1 = "5fb5a2e3-0d3c-4a8c-9f11-000000000001"
RUN_2 = "5fb5a2e3-0d3c-4a8c-9f11-000000000002"
# What the application of today has besides: more columns, and its tables of runs.
TODAY: dict[str, dict[str, Any]] = {
    "simulations": {
        **TABLES["simulations"],
        "simulation_spec_json": '{"policy_id": 2}',
        "simulation_spec_schema_version": 1,
        "active_run_id": RUN_2,
        "latest_successful_run_id": RUN_2,
    },
    "report_outputs": {
        **TABLES["report_outputs"],
        "report_kind": "economy_single",
        "report_spec_json": '{"dataset": "default"}',
        "report_spec_schema_version": 1,
        "report_spec_status": "backfilled_assumed",
        "active_run_id": RUN_1,
        "latest_successful_run_id": RUN_1,
    },
    "report_output_runs": {
        "id": RUN_1,
        "report_output_id": 1,
        "run_sequence": 1,
        "status": "complete",
        "output": '{"budget": 2}',
        "error_message": None,
        "trigger_type": "initial",
        "requested_at": "2026-04-01 00:01:00.123456",
        "started_at": None,
        "finished_at": "2026-04-01 00:02:00",
        "source_run_id": None,
        "report_spec_snapshot_json": '{"dataset": "default"}',
        "resolved_dataset": "default",
    },
    "simulation_runs": {
        "id": RUN_2,
        "simulation_id": 1,
        "report_output_run_id": RUN_1,
        "input_position": 1,
        "run_sequence": 1,
        "status": "complete",
        "output": '{"budget": 1}',
        "error_message": None,
        "trigger_type": "initial",
        "requested_at": "2026-04-01 00:01:00",
        "started_at": None,
        "finished_at": None,
        "source_run_id": None,
        "simulation_spec_snapshot_json": '{"policy_id": 2}',
        "country_package_version": "0.0.0",
    },
}


class Legacy:
    """A legacy database in SQLite with one valid row a table, to which a test adds others; of ``today`` or older."""

    def __init__(self, path: Path, *, today: bool = False) -> None:
        self.path = path
        self.tables = TABLES | TODAY if today else TABLES
        for table, values in self.tables.items():
            self.execute(f"create table {table} ({', '.join(values)})")
            self.add(table)

    @property
    def source(self) -> str:
        """What an import is given."""
        return str(self.path)

    def execute(self, statement: str, values: tuple[Any, ...] = ()) -> None:
        """Run one statement, with ``?`` for its values."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("pragma synchronous = off")
            connection.execute(statement, values)

    def add(self, table: str, **values: Any) -> None:
        """Add a row; what is not given is that of the first row."""
        row = {**self.tables[table], **values}
        places = ", ".join("?" * len(row))
        self.execute(f"insert into {table} ({', '.join(row)}) values ({places})", tuple(row.values()))  # noqa: S608
