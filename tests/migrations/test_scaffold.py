"""A developer starts a new version of a routine with `pgreprise routine new`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import URL

import pyapi
from pyapi.schema import files, migrate
from pyapi.schema.versions import new_version
from tests.support.databases import engine, rows
from tests.support.dumps import state

INSTALLED = "select pgreprise.status() -> 'routines' -> 'reports/rerun_report' as version"


@pytest.mark.parametrize("name", ["rerun_report", "reports/rerun_report"])
def test_the_newest_file_is_copied_and_a_revision_at_the_head_of_its_domain_names_it(project: Path, name: str) -> None:
    newest = files.routine_file("reports/rerun_report")
    head = migrate.scripts().get_revision("reports@head").revision
    following = f"reports_{int(head.removeprefix('reports_')) + 1:04}"

    sql_file, revision_file = new_version(name)

    suffix = f"rerun_report_v{newest.version + 1:02}"
    assert sql_file == project / "sql" / "reports" / "procedures" / f"{suffix}.sql"
    assert sql_file.read_bytes() == newest.path.read_bytes()
    assert revision_file == project / "migrations" / "versions" / f"{following}_{suffix}.py"
    assert migrate.scripts().get_revision("reports@head").revision == following
    assert migrate.scripts().get_revision(following).down_revision == head


@pytest.mark.usefixtures("project")
def test_the_new_revision_replaces_the_routine_and_goes_back(empty_database: URL) -> None:
    database = engine(empty_database)
    migrate.upgrade(database)
    before = state(empty_database)
    old = files.routine_file("reports/rerun_report").version
    sql_file, _ = new_version("rerun_report")
    sql_file.write_text(sql_file.read_text().replace("\nbegin\n", "\nbegin\n  -- the next version\n"))

    migrate.upgrade(database)
    assert rows(empty_database, INSTALLED) == [{"version": old + 1}]
    [row] = rows(empty_database, "select pg_get_functiondef('public.rerun_report'::regproc) as definition")
    assert "-- the next version" in row["definition"]
    migrate.downgrade(database, "reports@head-1")
    assert state(empty_database) == before


@pytest.mark.usefixtures("project")
def test_two_new_versions_follow_each_other(empty_database: URL) -> None:
    old = files.routine_file("reports/rerun_report").version
    new_version("rerun_report")
    new_version("rerun_report")
    migrate.upgrade(engine(empty_database))
    assert rows(empty_database, INSTALLED) == [{"version": old + 2}]


@pytest.mark.usefixtures("project")
def test_the_generated_revision_keeps_the_style_of_the_project() -> None:
    _, revision_file = new_version("rerun_report")
    configuration = Path(__file__).parents[2] / "pyproject.toml"
    for command in (["check"], ["format", "--check"]):
        subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--config", str(configuration), str(revision_file)], check=True
        )


@pytest.mark.usefixtures("project")
def test_an_unknown_routine_is_named() -> None:
    with pytest.raises(LookupError, match="no file for routine rerun_everything"):
        new_version("rerun_everything")


def test_a_name_of_several_domains_asks_which_is_meant(project: Path) -> None:
    other = project / "sql" / "core" / "procedures"
    other.mkdir()
    shutil.copy(files.routine_file("reports/rerun_report").path, other / "rerun_report_v01.sql")
    with pytest.raises(ValueError, match=r"say which: core/rerun_report or reports/rerun_report"):
        new_version("rerun_report")


def test_an_installed_package_is_not_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    package = Path(pyapi.__file__).parent
    monkeypatch.setattr(files, "_project_folder", lambda name: package / name)
    with pytest.raises(ValueError, match=r"belongs to an installed package.*checkout"):
        new_version("rerun_report")
