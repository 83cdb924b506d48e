"""The report application's tables of today with a few rows of four ages of its economy cache, as it writes them.

Written for these tests, with invented values. The real database with far more rows is read where it is; this one is
for a clone without it. ``CASES`` and ``real_cases`` tell what each rerun must delete.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import psycopg
from sqlalchemy import URL

from tests.support.databases import Connection, connect
from tests.support.shared import DATA, need

TABLES = """
create table household (
  id serial primary key, country_id varchar(3) not null, label varchar(255), api_version varchar(255) not null,
  household_json json not null, household_hash varchar(255) not null
);
create table policy (
  id serial not null, country_id varchar(3) not null, label varchar(255), api_version varchar(10) not null,
  policy_json json not null, policy_hash varchar(255) not null, primary key (id, country_id, policy_hash)
);
create table simulations (
  id serial primary key, country_id varchar(3) not null, api_version varchar(10) not null,
  population_id varchar(255) not null, population_type varchar(50) not null, policy_id integer not null,
  status varchar(32) not null default 'pending', output json, error_message text, simulation_spec_json json,
  simulation_spec_schema_version integer, active_run_id char(36), latest_successful_run_id char(36)
);
create table report_outputs (
  id serial primary key, country_id varchar(3) not null, simulation_1_id integer not null, simulation_2_id integer,
  api_version varchar(10) not null, status varchar(32) not null default 'pending', output json, error_message text,
  year varchar(255) default '2025', report_kind varchar(64), report_spec_json json,
  report_spec_schema_version integer, report_spec_status varchar(32), active_run_id char(36),
  latest_successful_run_id char(36)
);
create table report_output_runs (
  id char(36) primary key, report_output_id integer not null, run_sequence integer not null,
  status varchar(32) not null, output json, error_message text, trigger_type varchar(32) not null,
  requested_at timestamp, started_at timestamp, finished_at timestamp, source_run_id char(36),
  report_spec_snapshot_json json, country_package_version varchar(255), policyengine_version varchar(255),
  data_version varchar(255), runtime_app_name varchar(255), report_cache_version varchar(255),
  simulation_cache_version varchar(255), requested_version_override varchar(255), resolved_dataset varchar(255),
  resolved_options_hash varchar(255),
  constraint report_output_run_sequence_idx unique (report_output_id, run_sequence)
);
create table simulation_runs (
  id char(36) primary key, simulation_id integer not null, report_output_run_id char(36), input_position integer,
  run_sequence integer not null, status varchar(32) not null, output json, error_message text,
  trigger_type varchar(32) not null, requested_at timestamp, started_at timestamp, finished_at timestamp,
  source_run_id char(36), simulation_spec_snapshot_json json, country_package_version varchar(255),
  policyengine_version varchar(255), data_version varchar(255), runtime_app_name varchar(255),
  simulation_cache_version varchar(255),
  constraint simulation_run_sequence_idx unique (simulation_id, run_sequence)
);
create table legacy_report_output_aliases (
  legacy_report_output_id integer primary key, canonical_report_output_id integer not null
);
create table reform_impact (
  reform_impact_id serial primary key, baseline_policy_id integer not null, reform_policy_id integer not null,
  country_id varchar(3) not null, region varchar(32) not null, dataset varchar(255) not null,
  time_period varchar(32) not null, options_json json, options_hash varchar(255), api_version varchar(10) not null,
  reform_impact_json json not null, status varchar(32) not null, message varchar(255), start_time timestamp,
  end_time timestamp, execution_id varchar(255) not null
);
create table alembic_version (version_num varchar(32) primary key);
insert into alembic_version values ('c0ffee123456');
"""


@dataclass(frozen=True)
class Case:
    """A rerun: the versions of the application then, what it must give, and which cache rows must or may go."""

    age: str
    versions: dict[str, dict[str, str]]
    country_id: str
    report_id: int
    report_type: str
    simulation_ids: list[int]
    gone: set[int]
    free: set[int] = field(default_factory=set)

    def __str__(self) -> str:
        return f"{self.age}-{self.report_id}"


def _versions(economy: str, report: str, package: str) -> dict[str, dict[str, str]]:
    return {"us": {"economy_impact": economy, "report_output": report, "package": package}}


# Before the dataset was resolved; while it was; with the dataset as it was asked for again; and when the cache has
# moved to Redis and left these rows behind.
FIRST = _versions("e1aaaaaaaa", "r1aaaaaaaa", "1.1.0")
RESOLVED = _versions("e1bbbbbbbb", "r1bbbbbbbb", "1.2.0")
DEFAULT_AGAIN = _versions("e2cccccccc", "r1cccccccc", "1.3.0")
REDIS = _versions("e2dddddddd", "r1dddddddd", "1.4.0")

_GS = "gs://invented-data/states/CA.h5"
_HF = "hf://invented/data/cps.h5@2.0"


def _hash(*parts: str) -> str:
    return f"[{'&'.join(parts)}]"


_P1 = _hash(f"dataset={_GS}", "model_version=1.2.0", "runtime_app_name=app-a")
_P2 = _hash("dataset=default", "model_version=1.3.0", "policyengine_version=4.0", "runtime_app_name=app-a")
_P2_B = _P2.replace("app-a", "app-b")
_P2_ASKED = _P2.replace("dataset=default", "dataset=invented_cps")

# id: population, kind, policy, status
_SIMULATIONS = {
    1: ("us", "geography", 2, "complete"),
    2: ("us", "geography", 11, "complete"),
    3: ("state/ca", "geography", 2, "complete"),
    4: ("state/ca", "geography", 12, "complete"),
    5: ("ny", "geography", 2, "complete"),
    6: ("ny", "geography", 13, "complete"),
    7: ("7001", "household", 2, "complete"),
    8: ("7001", "household", 13, "error"),
    9: ("place/NJ-57000", "geography", 2, "running"),
}
# id: simulations, version, status, year, kind; the first has neither a specification nor runs
_REPORTS: dict[int, tuple[int, int | None, str, str, str, str | None]] = {
    101: (1, 2, "r1aaaaaaaa", "complete", "2026", None),
    102: (3, 4, "r1bbbbbbbb", "complete", "2026", "economy_comparison"),
    103: (1, 2, "r1cccccccc", "complete", "2026", "economy_comparison"),
    104: (5, 6, "r1cccccccc", "error", "2026", "economy_comparison"),
    105: (7, 8, "r1cccccccc", "error", "2026", "household_comparison"),
    106: (9, None, "r1cccccccc", "running", "2027", "economy_single"),
    107: (3, 4, "r1cccccccc", "complete", "2026", "economy_comparison"),
}
# Somebody asked for another dataset than the default one.
_DATASETS = {107: "invented_cps"}
# id: policies, region, dataset, year, options_hash, version, status
_CACHE = {
    1: (2, 11, "us", "default", "2026", "[]", "e1aaaaaaaa", "ok"),
    2: (2, 11, "us", "default", "2026", "[include_cliffs=true]", "e1aaaaaaaa", "ok"),
    3: (2, 11, "us", "enhanced", "2026", "[]", "e1aaaaaaaa", "ok"),
    4: (2, 11, "us", "default", "2027", "[]", "e1aaaaaaaa", "ok"),
    5: (2, 11, "state/ca", "default", "2026", "[]", "e1aaaaaaaa", "ok"),
    6: (2, 12, "us", "default", "2026", "[]", "e1aaaaaaaa", "ok"),
    11: (2, 12, "state/ca", _GS, "2026", _P1, "e1bbbbbbbb", "computing"),
    # Somebody asked for this dataset; the row does not tell.
    12: (2, 12, "state/ca", _HF, "2026", _hash(f"dataset={_HF}", "model_version=1.2.0"), "e1bbbbbbbb", "computing"),
    13: (2, 12, "state/ca", _GS, "2026", f"[include_cliffs=true&{_P1[1:]}", "e1bbbbbbbb", "computing"),
    14: (2, 12, "state/ca", _GS, "2026", _P1, "e1aaaaaaaa", "computing"),
    15: (2, 12, "state/ny", _GS, "2026", _P1, "e1bbbbbbbb", "computing"),
    21: (2, 11, "us", "default", "2026", _P2, "e2cccccccc", "ok"),
    22: (2, 11, "us", "default", "2026", _P2_B, "e2cccccccc", "computing"),
    23: (2, 11, "us", _HF, "2026", _hash(f"dataset={_HF}", "model_version=1.3.0"), "e2cccccccc", "ok"),
    24: (2, 11, "us", "default", "2026", f"[include_cliffs=true&{_P2[1:]}", "e2cccccccc", "ok"),
    25: (2, 11, "us", "default", "2026", _P2, "e2dddddddd", "ok"),
    26: (3, 11, "us", "default", "2026", _P2, "e2cccccccc", "ok"),
    27: (2, 13, "state/ny", "default", "2026", _P2, "e2cccccccc", "error"),
    28: (2, 13, "state/NY", "default", "2026", _P2, "e2cccccccc", "ok"),
    29: (2, 2, "place/NJ-57000", "default", "2027", _P2, "e2cccccccc", "computing"),
    30: (2, 2, "place/NJ-57000", "default", "2026", _P2, "e2cccccccc", "ok"),
    31: (2, 12, "state/ca", "invented_cps", "2026", _P2_ASKED, "e2cccccccc", "ok"),
    32: (2, 12, "state/ca", "invented_cps", "2026", "[]", "e2cccccccc", "ok"),
    33: (2, 12, "state/ca", "default", "2026", _P2, "e2cccccccc", "ok"),
    # The hash and the column name different datasets.
    34: (2, 12, "state/ca", "invented_cps", "2026", _P2, "e2cccccccc", "ok"),
}
CASES = [
    Case("first", FIRST, "us", 101, "geography", [1, 2], {1}),
    Case("resolved", RESOLVED, "us", 102, "geography", [3, 4], {11}, {12}),
    Case("default again", DEFAULT_AGAIN, "us", 103, "geography", [1, 2], {21, 22}),
    Case("default again", DEFAULT_AGAIN, "us", 104, "geography", [5, 6], {27}),
    Case("default again", DEFAULT_AGAIN, "us", 105, "household", [7, 8], set()),
    Case("default again", DEFAULT_AGAIN, "us", 106, "geography", [9], {29}),
    Case("default again", DEFAULT_AGAIN, "us", 107, "geography", [3, 4], {31, 32}),
    # The database has no rows of this version but one that was left by accident.
    Case("redis", REDIS, "us", 103, "geography", [1, 2], {25}),
    Case("redis", REDIS, "us", 104, "geography", [5, 6], set()),
]


def _insert(connection: Connection, table: str, **values: Any) -> None:
    values = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in values.items()}
    connection.execute(
        psycopg.sql.SQL("insert into {} ({}) values ({})").format(
            psycopg.sql.Identifier("public", table),
            psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, values)),
            psycopg.sql.SQL(", ").join(map(psycopg.sql.Placeholder, values)),
        ),
        values,
    )


def _run_id(kind: str, row_id: int) -> str:
    return f"{kind}-{row_id:027}"


def _times(status: str) -> dict[str, Any]:
    return {
        "requested_at": "2026-08-14 15:17:37",
        "started_at": "2026-08-14 15:17:37" if status != "pending" else None,
        "finished_at": "2026-08-14 15:18:51" if status in ("complete", "error") else None,
    }


def _pointers(run_id: str | None, status: str) -> dict[str, Any]:
    return {
        "active_run_id": run_id if status in ("pending", "running") else None,
        "latest_successful_run_id": run_id if status == "complete" else None,
    }


def load(connection: Connection) -> None:
    """Create the tables in an empty database, with their rows."""
    connection.execute(TABLES.encode())
    for row_id, (population, kind, policy, status) in _SIMULATIONS.items():
        specification = {"country_id": "us", "population_id": population, "policy_id": policy}
        result = {
            "status": status,
            "output": {"net_income": row_id} if status == "complete" else None,
            "error_message": "worker lost" if status == "error" else None,
        }
        run_id = _run_id("simulat", row_id)
        _insert(
            connection, "simulations", id=row_id, country_id="us", api_version="1.3.0", population_id=population,
            population_type=kind, policy_id=policy, **result, simulation_spec_json=specification,
            simulation_spec_schema_version=1, **_pointers(run_id, status),
        )  # fmt: skip
        _insert(
            connection, "simulation_runs", id=run_id, simulation_id=row_id, run_sequence=1, **result,
            trigger_type="initial", **_times(status), simulation_spec_snapshot_json=specification,
        )  # fmt: skip
    for row_id, (first, second, version, status, year, report_kind) in _REPORTS.items():
        run_id = _run_id("reports", row_id) if report_kind else None
        specification = {"country_id": "us", "report_kind": report_kind, "time_period": year}
        if (report_kind or "").startswith("economy"):
            specification |= {"region": _SIMULATIONS[first][0], "dataset": _DATASETS.get(row_id, "default")}
        result = {
            "status": status,
            "output": {"budget": row_id} if status == "complete" else None,
            "error_message": "worker lost" if status == "error" else None,
        }
        _insert(
            connection, "report_outputs", id=row_id, country_id="us", simulation_1_id=first, simulation_2_id=second,
            api_version=version, **result, year=year, report_kind=report_kind,
            report_spec_json=specification if report_kind else None,
            report_spec_schema_version=1 if report_kind else None, **_pointers(run_id, status),
        )  # fmt: skip
        if run_id is not None:
            _insert(
                connection, "report_output_runs", id=run_id, report_output_id=row_id, run_sequence=1, **result,
                trigger_type="initial", **_times(status), report_spec_snapshot_json=specification,
                report_cache_version=version,
            )  # fmt: skip
    for row_id, (baseline, reform, region, dataset, year, options_hash, version, status) in _CACHE.items():
        _insert(
            connection, "reform_impact", reform_impact_id=row_id, baseline_policy_id=baseline,
            reform_policy_id=reform, country_id="us", region=region, dataset=dataset, time_period=year,
            options_json={}, options_hash=options_hash, api_version=version,
            reform_impact_json={"budget": row_id} if status == "ok" else {}, status=status,
            message="worker lost" if status == "error" else None, start_time="2026-08-14 14:00:00",
            execution_id=f"job-{row_id}",
        )  # fmt: skip
    for table, key in (("simulations", "id"), ("report_outputs", "id"), ("reform_impact", "reform_impact_id")):
        connection.execute(
            f"select setval(pg_get_serial_sequence('public.{table}', '{key}'), "  # noqa: S608
            f"(select max({key}) from public.{table}))"
        )


# --- the real one, where it is at hand -------------------------------------------------------

REAL = DATA / "policyengine-host.sql"


def real_cases() -> list[Case]:
    """What reruns on the real database must delete; nothing where it is not at hand."""
    if not REAL.is_file():
        return []
    told: dict[str, Any] = json.loads(REAL.with_suffix(".json").read_text(encoding="utf-8"))
    return [
        Case(
            age=age["age"],
            versions={
                country: {name: versions[name] for name in ("economy_impact", "report_output", "package")}
                for country, versions in age["versions"].items()
            },
            country_id=case["country"],
            report_id=case["report_id"],
            report_type=case["report_type"],
            simulation_ids=case["simulation_ids"],
            gone=set(case["gone"]),
            free=set(case["free"]),
        )
        for age in told["ages"]
        for case in age["cases"]
    ]


def load_host(name: str, url: URL) -> None:
    """Fill an empty database with the tables and rows of a host, ``ours`` or ``real``."""
    with connect(url) as connection:
        if name == "real":
            connection.execute(need(REAL).read_bytes())
        else:
            load(connection)
