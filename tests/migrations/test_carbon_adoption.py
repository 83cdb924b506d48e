"""A DBA migrates a database that already has the carbon tables, with rows that may stand in the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from pyapi.schema import migrate
from tests.support.carbon import add_entry, add_report, add_unit, module_id, snapshot
from tests.support.databases import connect, engine, plain, rows
from tests.support.dumps import dump, run_script
from tests.support.refusals import detail, refused_with

APPLICATION = """
create type public.carbon_report_type_enum as enum ('Calculator', 'Simulator_Explore', 'Simulator_Plan');
create table public.units (
  id serial primary key,
  institutional_id varchar unique,
  name varchar not null,
  level int not null default 4
);
create table public.carbon_projects (
  id serial primary key,
  unit_id int not null references public.units (id),
  carbon_report_type public.carbon_report_type_enum not null,
  start_year int,
  end_year int,
  name varchar,
  is_viewable_by_unit_members boolean not null default false
);
create table public.carbon_reports (
  id serial primary key,
  year int not null,
  reference_year int,
  unit_id int not null references public.units (id),
  carbon_project_id int references public.carbon_projects (id),
  last_updated int,
  completion_progress varchar,
  overall_status int not null default 0,
  stats json
);
create table public.carbon_report_modules (
  id serial primary key,
  carbon_report_id int not null references public.carbon_reports (id),
  module_type_id int not null,
  status int not null default 0,
  last_updated int,
  stats json,
  constraint uq_carbon_report_module unique (carbon_report_id, module_type_id)
);
create table public.data_entries (
  id serial primary key,
  carbon_report_module_id int not null references public.carbon_report_modules (id),
  data_entry_type_id int not null,
  data json
);
create table public.data_entry_emissions (
  id serial primary key,
  data_entry_id int not null references public.data_entries (id) on delete cascade,
  emission_type_id int not null,
  scope int,
  kg_co2eq double precision not null
);
"""
CONSTRAINTS = (
    "select conname as name, pg_get_constraintdef(oid) as definition from pg_constraint "
    "where conname in ('uq_carbon_projects_unit_type', 'uq_carbon_reports_project_year') order by 1"
)
BOTH = [
    {"name": "uq_carbon_projects_unit_type", "definition": "UNIQUE (unit_id, carbon_report_type)"},
    {"name": "uq_carbon_reports_project_year", "definition": "UNIQUE (carbon_project_id, year)"},
]


@pytest.fixture
def application(empty_database: URL) -> URL:
    """A database with the application's tables."""
    with connect(empty_database) as connection:
        connection.execute(APPLICATION)
    return empty_database


def add_old_entry(connection: Any, report: int, module_type_id: int, kg: float) -> None:
    """An entry of a table that knows no roll-ups."""
    connection.execute(
        "with entry as (insert into public.data_entries (carbon_report_module_id, data_entry_type_id, data) "
        "values (%s, 1, '{}') returning id) insert into public.data_entry_emissions "
        "(data_entry_id, emission_type_id, kg_co2eq) select id, 1, %s from entry",
        (module_id(connection, report, module_type_id), kg),
    )


def without_rollup(found: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    emissions = [{"entry": row["entry"].removesuffix(",f)") + ")"} for row in found["data_entry_emissions"]]
    return {**found, "data_entry_emissions": emissions}


def test_the_applications_tables_keep_their_rows_and_the_routines_work_on_them(application: URL) -> None:
    with connect(application) as connection:
        report = add_report(connection, add_unit(connection))
        add_old_entry(connection, report, 2, 1500)
        before = snapshot(connection)
        migrate.upgrade(engine(application), "carbon@head")
        assert without_rollup(snapshot(connection)) == before
        assert rows(application, CONSTRAINTS) == BOTH

        connection.execute("set role pgreprise_dba")
        connection.execute("select set_carbon_module_status(%s, 2, 2)", (report,))
        totals = connection.execute("select get_validated_totals(%s) as totals", (report,)).fetchone()
        assert totals is not None
        assert totals["totals"] == {"modules": {"2": 1.5}, "total_tonnes_co2eq": 1.5, "total_fte": 0}
        for statement in (
            "select create_data_entry(1, 2025, 'headcount', 1, '{\"fte\": 2}', "
            '\'[{"emission_type_id": 1, "kg_co2eq": 0.1}]\')',
            "select create_explore_report(1, 2025)",
            "select refresh_explore_report(1, 2, 2025, now() + interval '2 days')",
            'select bulk_upsert_carbon_reports(\'[{"unit_id": 1, "year": 2026}]\')',
            "select create_carbon_project(1, 2)",
        ):
            assert connection.execute(statement.encode()).rowcount == 1, statement


@pytest.mark.parametrize("with_rows", [False, True])
def test_a_downgrade_leaves_the_application_as_it_was(application: URL, with_rows: bool) -> None:
    with connect(application) as connection:
        if with_rows:
            add_old_entry(connection, add_report(connection, add_unit(connection)), 2, 5)
        rights = "pgreprise_owner"
        before, schema = snapshot(connection), dump(application)
        migrate.upgrade(engine(application), "carbon@head")
        migrate.downgrade(engine(application), "base", drop_tables_with_rows=True)
        assert snapshot(connection) == before
        after = dump(application)
        connection.execute("drop table pgreprise.alembic_version; drop schema pgreprise")
    assert rights not in after
    assert [line for line in schema.splitlines() if line.startswith(("CREATE", "ALTER"))] == [
        line for line in dump(application).splitlines() if line.startswith(("CREATE", "ALTER"))
    ]


def test_created_tables_with_rows_stay_and_empty_ones_go(database: URL) -> None:
    existing = "select relname::text as name from pg_class where relname = any (%s) and relkind = 'r' order by 1"
    names = ["units", "carbon_projects", "carbon_reports", "carbon_report_modules", "data_entries"]
    with connect(database) as connection:
        add_report(connection, add_unit(connection))
        before = snapshot(connection)
        migrate.downgrade(engine(database), "carbon@base")
        assert [row["name"] for row in rows(database, existing, names)] == sorted(names[:4])
        migrate.upgrade(engine(database))
        assert snapshot(connection) == before
        migrate.downgrade(engine(database), "carbon@base", drop_tables_with_rows=True)
        # Found this time.
        assert [row["name"] for row in rows(database, existing, names)] == sorted(names[:4])


def test_created_tables_with_rows_go_when_told_so_in_so_many_words(database: URL) -> None:
    with connect(database) as connection:
        add_entry(connection, add_report(connection, add_unit(connection)), 1, 5)
    migrate.downgrade(engine(database), "carbon@base", drop_tables_with_rows=True)
    left = "select to_regclass('public.units') as units, to_regtype('public.carbon_report_type_enum') as type"
    assert rows(database, left) == [{"units": None, "type": None}]


def test_constraints_that_are_there_already_stay_after_a_downgrade(application: URL) -> None:
    with connect(application) as connection:
        for name, table, columns in (
            ("uq_carbon_projects_unit_type", "carbon_projects", "unit_id, carbon_report_type"),
            ("uq_carbon_reports_project_year", "carbon_reports", "carbon_project_id, year"),
        ):
            connection.execute(f"alter table public.{table} add constraint {name} unique ({columns})")
    migrate.upgrade(engine(application), "carbon@head")
    assert rows(application, CONSTRAINTS) == BOTH
    migrate.downgrade(engine(application), "base")
    assert rows(application, CONSTRAINTS) == BOTH


def test_the_constraints_are_created_and_dropped_by_one_revision(database: URL) -> None:
    assert rows(database, CONSTRAINTS) == BOTH
    migrate.downgrade(engine(database), "carbon_0002")
    assert rows(database, CONSTRAINTS) == BOTH
    migrate.downgrade(engine(database), "carbon_0001")
    assert rows(database, CONSTRAINTS) == []
    migrate.upgrade(engine(database), "carbon_0002")
    assert rows(database, CONSTRAINTS) == BOTH


DIFFERENT = """
alter table public.units enable row level security;
alter table public.units drop column institutional_id;
alter table public.carbon_projects add column tenant int;
update public.carbon_projects set tenant = 1;
alter table public.carbon_projects alter column tenant set not null;
alter table public.carbon_projects add constraint uq_carbon_projects_unit_type unique (unit_id);
alter table public.carbon_reports alter column year type text;
alter table public.carbon_reports alter column unit_id drop not null;
alter table public.carbon_report_modules drop constraint uq_carbon_report_module;
alter type public.carbon_report_type_enum rename value 'Simulator_Plan' to 'Plan';
"""


def test_every_difference_is_listed_at_once_and_nothing_is_changed(application: URL) -> None:
    with connect(application) as connection:
        add_report(connection, add_unit(connection))
        connection.execute(DIFFERENT)
    before = dump(application)
    with refused_with("55000", "cannot work on the tables of this database: 8 differences") as refused:
        migrate.upgrade(engine(application))
    assert detail(refused.value).splitlines() == [
        "public.carbon_projects: uq_carbon_projects_unit_type exists and is not unique (unit_id, carbon_report_type)",
        "public.carbon_projects: column tenant must be given for a new row and has no default",
        "public.carbon_report_modules: no unique index has exactly the columns "
        "(carbon_report_id, module_type_id): add unique (carbon_report_id, module_type_id)",
        "public.carbon_report_type_enum: type lacks the value Simulator_Plan",
        "public.carbon_reports: column year is text; usable: smallint, integer, bigint",
        "public.carbon_reports: column unit_id may be null (alter column unit_id set not null)",
        "public.units: has row level security, which would hide rows from the routines",
        "public.units: column institutional_id is missing (text)",
    ]
    assert dump(application) == before


# --- duplicates ------------------------------------------------------------------------------


@pytest.fixture
def duplicates(application: URL) -> URL:
    """Unit 1 has two Calculator projects (1 and 2), with reports of 2025 in both and two of 2024 in the first."""
    with connect(application) as connection:
        unit = add_unit(connection)
        other = add_unit(connection, "0207")
        connection.execute(
            "insert into public.carbon_projects (unit_id, carbon_report_type) values "
            "(%s, 'Calculator'), (%s, 'Calculator'), (%s, 'Simulator_Explore'), (%s, 'Calculator')",
            (unit, unit, unit, other),
        )
        for project, year, last_updated in (
            (1, 2024, 100),
            (1, 2024, None),
            (1, 2025, None),
            (2, 2025, 50),
            (2, 2023, None),
            (3, 2025, None),
            (4, 2025, None),
        ):
            report = connection.execute(
                "insert into public.carbon_reports (unit_id, carbon_project_id, year, last_updated) "
                "values (%s, %s, %s, %s) returning id",
                (other if project == 4 else unit, project, year, last_updated),
            ).fetchone()
            assert report is not None
            connection.execute(
                "insert into public.carbon_report_modules (carbon_report_id, module_type_id) "
                "select %s, generate_series(1, 8)",
                (report["id"],),
            )
            add_old_entry(connection, report["id"], 1, 5)
    return application


LISTED = [
    ("carbon_reports", "carbon_project_id 1, year 2024", [1, 2], 1),
    ("carbon_reports", "carbon_project_id 1, year 2025", [3, 4], 4),
    ("carbon_projects", "unit_id 1, carbon_report_type Calculator", [1, 2], 1),
]


def listed(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["table_name"], row["key"], row["ids"], row["keep"]) for row in found]


@pytest.mark.parametrize("revision", ["heads", "carbon@head"])
def test_duplicates_stop_the_migration_before_anything_is_changed(duplicates: URL, revision: str) -> None:
    before = dump(duplicates)
    with refused_with("RC007", r"exist more than once \(3 keys\)\. Nothing was changed") as refused:
        migrate.upgrade(engine(duplicates), revision)
    assert listed(json.loads(detail(refused.value))["duplicates"]) == LISTED
    assert dump(duplicates) == before


def test_the_written_sql_stops_at_duplicates_too(duplicates: URL, tmp_path: Path) -> None:
    script = tmp_path / "migrations.sql"
    with script.open("w", encoding="utf-8") as output:
        migrate.write_sql(output)
    before = dump(duplicates)
    with pytest.raises(AssertionError, match=r"exist more than once \(3 keys\)"):
        run_script(duplicates, script)
    assert dump(duplicates) == before


def command(url: URL, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pyapi", *arguments],
        env={**os.environ, "DATABASE_URL": plain(url)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_the_command_lists_the_same_and_what_resolves_it_and_then_the_migration_goes_through(duplicates: URL) -> None:
    shown = command(duplicates, "carbon", "duplicates", "--json")
    assert shown.returncode == 1
    found = json.loads(shown.stdout)
    assert listed(found) == LISTED
    with connect(duplicates) as connection:
        for row in found:
            connection.execute(row["resolve"].encode())
        kept = connection.execute("select id from public.carbon_reports order by id").fetchall()
        assert [row["id"] for row in kept] == [1, 4, 5, 6, 7]
    empty = command(duplicates, "carbon", "duplicates")
    assert (empty.returncode, empty.stdout) == (0, "No carbon project or report exists more than once.\n")
    migrate.upgrade(engine(duplicates))
    assert rows(duplicates, CONSTRAINTS) == BOTH
    reports = "select project.id, array_agg(report.year order by year) as years from public.carbon_reports as report "
    reports += "join public.carbon_projects as project on project.id = carbon_project_id group by 1 order by 1"
    assert rows(duplicates, reports)[0] == {"id": 1, "years": [2023, 2024, 2025]}


def test_the_command_needs_no_tables(empty_database: URL) -> None:
    assert command(empty_database, "carbon", "duplicates", "--json").stdout == "[]\n"


def test_the_migration_itself_names_the_command(duplicates: URL) -> None:
    said = command(duplicates, "migrate")
    assert said.returncode == 1
    assert "RC007" in said.stderr
    assert "pgreprise carbon duplicates" in said.stderr
