"""What the tests of the real legacy data share: the import, what reruns must give, and what they must delete."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import ANY

from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import URL

from pyapi.database import connect_engine
from pyapi.schema.legacy import import_legacy
from tests.support.databases import connect
from tests.support.factories import VERSIONS, set_versions

# The reports that cannot be rerun, and why.
DEFECTS = {155: "RR002", 156: "RR002", 157: "RR003", 158: "RR002", 159: "RR005"}


@dataclass(frozen=True)
class Example:
    """A rerun and what it must give: a result, or an error's SQLSTATE and HTTP status."""

    country_id: str
    report_id: int
    http_status: int = 200
    sqlstate: str | None = None
    report_type: str | None = None
    simulation_ids: tuple[int, ...] = ()
    deleted: int = 0

    @property
    def result(self) -> dict[str, Any]:
        return {
            "report_id": self.report_id,
            "report_type": self.report_type,
            "simulation_ids": list(self.simulation_ids),
            "economy_cache_rows_deleted": self.deleted,
            "cache_scopes": [ANY] if self.report_type == "geography" else [],
            # In a fresh import, whose reports are all at their first run.
            "run_sequence": 2,
            "rerun_id": 1,
            "same_key_report_ids": [],
            "shown_report_id": self.report_id,
        }

    def __str__(self) -> str:
        return f"{self.country_id}-{self.report_id}"


EXAMPLES = (
    Example("uk", 1, report_type="household", simulation_ids=(1,)),
    Example("us", 2, report_type="geography", simulation_ids=(2, 3), deleted=1),
    Example("us", 4, report_type="household", simulation_ids=(6, 7)),
    Example("us", 6, report_type="geography", simulation_ids=(10,), deleted=1),
    Example("us", 1, http_status=404, sqlstate="RR001"),
    Example("us", 155, http_status=400, sqlstate="RR002"),
    Example("us", 157, http_status=400, sqlstate="RR003"),
    Example("zz", 6, http_status=400, sqlstate="RR008"),
)


@contextmanager
def imported(
    server: URL, new_database: Callable[..., DatabaseJanitor], template: str, legacy_database: Path
) -> Iterator[str]:
    """The name of a database with the legacy data in it and its versions current, for tests to clone."""
    with new_database(template) as made:
        url = server.set(database=made.dbname)
        engine = connect_engine(url)
        import_legacy(str(legacy_database), engine)
        engine.dispose()
        with connect(url) as connection:
            for country_id in VERSIONS:
                set_versions(connection, country_id)
        yield made.dbname


def read(source: Path, statement: str) -> list[dict[str, Any]]:
    """Rows of the legacy database itself."""
    with closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(statement)]


def cache_rows_to_delete(source: Path) -> dict[int, set[int]]:
    """For each report that can be rerun, the reform impacts that are of its key, worked out in Python."""
    simulations = {row["id"]: row for row in read(source, "select * from simulations")}
    impacts = read(source, "select * from reform_impact")
    deleted: dict[int, set[int]] = {}
    for report in read(source, "select * from report_outputs"):
        first = simulations.get(report["simulation_1_id"])
        second = first if report["simulation_2_id"] is None else simulations.get(report["simulation_2_id"])
        if first is None or second is None:
            continue
        if {first["country_id"], second["country_id"]} != {report["country_id"]}:
            continue
        if first["population_type"] != second["population_type"]:
            continue
        if first["population_type"] == "household":
            deleted[report["id"]] = set()
        elif report["year"] is not None:
            key = {
                "country_id": report["country_id"],
                "baseline_policy_id": first["policy_id"],
                "reform_policy_id": second["policy_id"],
                "region": first["population_id"],
                "dataset": "default",
                "options_hash": "[]",
                "time_period": report["year"],
                "api_version": VERSIONS[report["country_id"]]["economy_impact"],
            }
            deleted[report["id"]] = {row["reform_impact_id"] for row in impacts if key.items() <= row.items()}
    return deleted
