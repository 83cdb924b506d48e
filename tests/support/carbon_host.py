"""The carbon calculator's database: a small one of ours with its columns of today, and real ones where they are.

Ours has invented rows, written for these tests. ``EXPECTED`` tells what the calculator makes of them, and ``expected``
what it makes of the real ones.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import URL

from tests.support.databases import Connection, connect
from tests.support.shared import DATA, need

# Our own, and the calculator of two dates.
HOSTS = ("ours", "today", "before")
_FILES = {"today": DATA / "co2-host.sql", "before": DATA / "co2-host-old.sql"}

# The tables that pgreprise works on and the one of the calculator's own migrations.
TABLES = """
create type carbon_report_type_enum as enum ('Calculator', 'Simulator_Explore', 'Simulator_Plan');
create type dataentrystatusenum as enum ('PENDING', 'VALIDATED', 'REJECTED');
create type user_provider_enum as enum ('ACCRED', 'DEFAULT', 'TEST');
create table units (
  provider user_provider_enum not null, institutional_code varchar not null unique, institutional_id varchar unique,
  name varchar not null, label_fr varchar, level integer not null, path_name varchar, is_active boolean not null,
  id serial primary key
);
create table factors (
  emission_type_id integer not null, data_entry_type_id integer not null, classification jsonb, "values" json,
  year integer, id serial primary key
);
create table carbon_projects (
  unit_id integer not null references units (id), carbon_report_type carbon_report_type_enum not null,
  start_year integer, end_year integer, name varchar, is_viewable_by_unit_members boolean not null,
  id serial primary key, constraint uq_carbon_projects_unit_type unique (unit_id, carbon_report_type)
);
create table carbon_reports (
  year integer not null, reference_year integer, unit_id integer not null references units (id),
  carbon_project_id integer references carbon_projects (id), last_updated integer, completion_progress varchar,
  overall_status integer not null, stats json, id serial primary key,
  constraint uq_carbon_reports_project_year unique (carbon_project_id, year)
);
create table carbon_report_modules (
  module_type_id integer not null, status integer not null,
  carbon_report_id integer not null references carbon_reports (id), last_updated integer, stats json,
  id serial primary key, constraint uq_carbon_report_module unique (carbon_report_id, module_type_id)
);
create table data_entries (
  data_entry_type_id integer not null, carbon_report_module_id integer not null references carbon_report_modules (id),
  data json, status dataentrystatusenum, id serial primary key, year integer, unit_id integer, source integer,
  created_by_id integer, created_at timestamp not null, updated_at timestamp not null
);
create table data_entry_emissions (
  data_entry_id integer not null references data_entries (id) on delete cascade, emission_type_id integer not null,
  primary_factor_id integer references factors (id) on delete cascade, kg_co2eq double precision not null,
  additional_value double precision, scope integer, meta json, computed_at timestamptz not null, id serial primary key
);
create table alembic_version (version_num varchar(32) primary key);
insert into alembic_version values ('beadfacade01');
"""

# Unit 7's Calculator report of 2026: two validated modules, one in progress, and one with an entry that has no
# emissions. Its explore report is fresh.
_ROWS = """
insert into units (id, provider, institutional_code, institutional_id, name, level, is_active) values
(7, 'DEFAULT', '70', '0770', 'Seven', 4, true), (8, 'DEFAULT', '80', '0880', 'Eight', 4, true),
(9, 'DEFAULT', '90', null, 'Nine', 4, true);
insert into factors (id, emission_type_id, data_entry_type_id) values (1, 10001, 1), (2, 30005, 1), (3, 60100, 30);
insert into carbon_projects (id, unit_id, carbon_report_type, is_viewable_by_unit_members) values
(71, 7, 'Calculator', false), (72, 7, 'Simulator_Explore', false);
insert into carbon_reports (id, year, unit_id, carbon_project_id, last_updated, completion_progress, overall_status,
  stats) values
(701, 2026, 7, 71, 1780000000, '2/8', 1, '{stats}'), (702, 2026, 7, 72, 1780000000, null, 0, 'null');
insert into carbon_report_modules (id, carbon_report_id, module_type_id, status, last_updated, stats)
select report.id * 10 + type, report.id, type, 0, null, 'null'
from carbon_reports as report, generate_series(1, 8) as type;
update carbon_report_modules set status = 2, last_updated = 1780000000, stats = '{stats_1}' where id = 7011;
update carbon_report_modules set status = 2, last_updated = 1780000000, stats = '{stats_3}' where id = 7013;
update carbon_report_modules set status = 1, last_updated = 1780000000, stats = '{stats_2}' where id = 7012;
insert into data_entries (id, data_entry_type_id, carbon_report_module_id, data, status, created_at, updated_at) values
(1, 1, 7011, '{{"name": "A", "fte": 0.5,  "sius_code": "51"}}', 'PENDING', '2026-03-01', '2026-03-01'),
(2, 2, 7011, '{{"fte": 3}}', 'PENDING', '2026-03-01', '2026-03-01'),
(3, 21, 7012, '{{"user_institutional_id": "1"}}', 'PENDING', '2026-03-01', '2026-03-01'),
(4, 30, 7013, '{{"building_name": "B", "room_name": "1"}}', 'PENDING', '2026-03-01', '2026-03-01');
insert into data_entry_emissions (id, data_entry_id, emission_type_id, primary_factor_id, kg_co2eq, additional_value,
  scope, meta, computed_at) values
(1, 1, 10001, 1, 12.5, 10, 3, '{{}}', '2026-03-01'),
(2, 1, 30005, 2, 30.25, 400, null, '{{"km": 400 }}', '2026-03-01'),
(3, 1, 40000, 1, 42.75, null, null, '{{"is_rollup": true}}', '2026-03-01'),
(4, 2, 10001, 1, 7.5, 6, 3, '{{}}', '2026-03-01'),
(5, 4, 6010101, 3, 100, null, 2, '{{}}', '2026-03-01'),
(6, 4, 6010501, 3, 50.5, null, 1, '{{}}', '2026-03-01'),
(7, 4, 60100, 3, 150.5, null, null, '{{"is_rollup": true}}', '2026-03-01');
"""
_AT = {"computed_at": "2026-03-01T00:00:00.000000+00:00"}
MODULE_STATS: dict[int, dict[str, Any]] = {
    1: {
        "scope1": 0.0, "scope2": 0.0, "scope3": 50.25, "total": 50.25,
        "by_emission_type": {"10001": 20.0, "30005": 30.25, "10000": 20.0, "30000": 30.25},
        "by_additional_value": {"10001": 16.0, "30005": 400.0, "10000": 16.0, "30000": 400.0},
        **_AT, "entry_count": 2,
    },
    2: {
        "scope1": 0.0, "scope2": 0.0, "scope3": 0.0, "total": 0.0, "by_emission_type": {}, "by_additional_value": {},
        **_AT, "entry_count": 1,
    },
    3: {
        "scope1": 50.5, "scope2": 100.0, "scope3": 0.0, "total": 150.5,
        "by_emission_type": {"60100": 150.5, "6010101": 100.0, "6010501": 50.5, "60000": 150.5, "60101": 100.0,
                             "60105": 50.5},
        "by_additional_value": {}, **_AT, "entry_count": 1,
    },
}  # fmt: skip
REPORT_STATS: dict[str, Any] = {
    "scope1": 50.5, "scope2": 100.0, "scope3": 50.25, "total": 200.75, "it_total_kg": 0,
    "by_emission_type": MODULE_STATS[1]["by_emission_type"] | MODULE_STATS[3]["by_emission_type"],
    "by_additional_value": MODULE_STATS[1]["by_additional_value"],
    **_AT, "entry_count": 4, "highest_category_module_id": 3,
}  # fmt: skip
EXPECTED: dict[str, Any] = {
    "701": {
        "unit_id": 7,
        "year": 2026,
        "type": "Calculator",
        "validated_totals": {
            "modules": {"1": 3.5, "3": 0.1505},
            "total_tonnes_co2eq": 0.20075,
            "total_fte": 3.5,
        },
    },
    "702": {
        "unit_id": 7,
        "year": 2026,
        "type": "Simulator_Explore",
        "validated_totals": {"modules": {}, "total_tonnes_co2eq": 0, "total_fte": 0},
    },
}


def load(connection: Connection) -> None:
    """Create our small one in an empty database."""
    connection.execute(TABLES.encode())
    stats = {f"stats_{module}": json.dumps(stats) for module, stats in MODULE_STATS.items()}
    connection.execute(_ROWS.format(stats=json.dumps(REPORT_STATS), **stats).encode())
    for table in ("units", "factors", "carbon_projects", "carbon_reports", "carbon_report_modules", "data_entries",
                  "data_entry_emissions"):  # fmt: skip
        connection.execute(
            f"select setval(pg_get_serial_sequence('public.{table}', 'id'), "  # noqa: S608
            f"(select max(id) from public.{table}))"
        )


def expected(name: str) -> dict[str, Any]:
    """By the id of a report: what the calculator's own code computes. Skips where the real one is absent."""
    if name == "ours":
        return EXPECTED
    told: dict[str, Any] = json.loads(need(_FILES[name].with_suffix(".json")).read_text(encoding="utf-8"))
    reports: dict[str, Any] = told["reports"]
    return reports


def load_carbon_host(name: str, url: URL) -> None:
    """Fill an empty database with the tables and rows of a host, one of HOSTS."""
    with connect(url) as connection:
        if name == "ours":
            load(connection)
        else:
            connection.execute(need(_FILES[name]).read_bytes())
