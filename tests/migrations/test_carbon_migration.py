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
from tests.support.carbon import add_entry, add_report, add_unit, snapshot
from tests.support.carbon_host import TABLES
from tests.support.databases import connect, engine, plain, rows
from tests.support.dumps import dump, run_script
from tests.support.refusals import detail, refused_with

pytestmark = pytest.mark.needs("time")

# The calculator's tables of a time before it had the two constraints, empty, and with defaults for the factories here.
APPLICATION = f"""{TABLES}
alter table carbon_projects drop constraint uq_carbon_projects_unit_type;
alter table carbon_reports drop constraint uq_carbon_reports_project_year;
alter table units alter provider set default 'DEFAULT', alter institutional_code set default gen_random_uuid(),
  alter level set default 4, alter is_active set default true;
alter table carbon_projects alter is_viewable_by_unit_members set default false;
alter table carbon_reports alter overall_status set default 0;
alter table carbon_report_modules alter status set default 0;
alter table data_entries alter created_at set default now(), alter updated_at set default now();
alter table data_entry_emissions alter computed_at set default now();
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
        connection.execute(APPLICATION.encode())
    return empty_database


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


@pytest.mark.parametrize("domain", ["carbon", "reports"])
def test_the_settings_are_one_table_whichever_domain_is_installed(empty_database: URL, domain: str) -> None:
    migrate.upgrade(engine(empty_database), f"{domain}@head")
    with connect(empty_database) as connection:
        connection.execute("select set_setting('co2_per_km_kg', '0.2'), set_setting('archive_outputs', 'off')")
    # A domain that goes leaves the settings of the others.
    migrate.upgrade(engine(empty_database))
    migrate.downgrade(engine(empty_database), f"{domain}@base")
    stored = "select co2_per_km_kg, archive_outputs from pgreprise.setting"
    assert rows(empty_database, stored) == [{"co2_per_km_kg": 0.2, "archive_outputs": False}]
    one_row = (
        "select relname::text as name from pg_class where relname like '%setting' and relkind = 'r' and oid >= 16384"
    )
    assert rows(empty_database, one_row) == [{"name": "setting"}]


def test_the_constraints_are_created_and_dropped_by_one_revision(database: URL) -> None:
    assert rows(database, CONSTRAINTS) == BOTH
    migrate.downgrade(engine(database), "carbon_0002")
    assert rows(database, CONSTRAINTS) == BOTH
    migrate.downgrade(engine(database), "carbon_0001")
    assert rows(database, CONSTRAINTS) == []
    migrate.upgrade(engine(database), "carbon_0002")
    assert rows(database, CONSTRAINTS) == BOTH


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
            add_entry(connection, report["id"], 1, 5)
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
