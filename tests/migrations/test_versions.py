"""A developer starts the next version of a routine with `pgreprise routine new`, and releases it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import URL

import pyapi
from pyapi.schema import files, migrate, versions
from tests.support.databases import engine, rows
from tests.support.dumps import state
from tests.support.projects import PROJECT

pytestmark = pytest.mark.needs("time")

INSTALLED = "select pgreprise.status() -> 'routines' -> 'reports/rerun_report' as version"
NAME = "reports/rerun_report"


@pytest.fixture
def released(project: Path) -> Path:
    """A project whose texts are all released."""
    versions.release()
    return project


def texts(project: Path) -> dict[str, bytes]:
    """Every file of a project, by its path."""
    return {
        path.relative_to(project).as_posix(): path.read_bytes()
        for path in sorted(project.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }


@pytest.mark.parametrize("name", ["rerun_report", NAME])
def test_the_released_text_is_kept_and_a_revision_at_the_head_of_its_domain_names_both(
    released: Path, name: str
) -> None:
    live = files.routine_file(NAME)
    text = live.path.read_bytes()
    head = migrate.scripts().get_revision("reports@head").revision
    following = f"reports_{int(head.removeprefix('reports_')) + 1:04}"

    kept, revision = versions.new_version(name)

    assert kept == released / "sql" / "released" / "reports" / "rerun_report_v01.sql"
    assert kept.read_bytes() == text == live.path.read_bytes()
    assert revision == released / "migrations" / "versions" / f"{following}_rerun_report_v02.py"
    assert migrate.scripts().get_revision("reports@head").revision == following
    assert migrate.scripts().get_revision(following).down_revision == head
    assert (files.routine_file(NAME).version, files.routine_file(NAME).path) == (2, live.path)
    assert files.changed_texts() == []


@pytest.mark.parametrize("stopped", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("at", ["the text", "the revision"])
@pytest.mark.parametrize("start", ["version", "routine"])
def test_what_cannot_be_written_leaves_nothing_half_made(
    released: Path, monkeypatch: pytest.MonkeyPatch, stopped: BaseException, at: str, start: str
) -> None:
    before = texts(released)
    folders = {path for path in released.rglob("*") if path.is_dir() and path.name != "__pycache__"}
    write = Path.write_text

    def write_half(path: Path, text: str, **more: Any) -> int:
        write(path, text[: len(text) // 2], **more)
        raise stopped

    def generate_half(scripts: ScriptDirectory, revision: str, *_: object, **__: object) -> None:
        write(Path(scripts.versions) / f"{revision}_half.py", "from alembic import")
        raise stopped

    def begin() -> object:
        if start == "version":
            return versions.new_version("rerun_report")
        return versions.new_routine("reports/my_routine", "a_room_of_its_own")

    if at == "the text":
        monkeypatch.setattr(Path, "write_text", write_half)
    else:
        monkeypatch.setattr(ScriptDirectory, "generate_revision", generate_half)
    with pytest.raises(type(stopped)):
        begin()
    assert texts(released) == before
    assert {path for path in released.rglob("*") if path.is_dir() and path.name != "__pycache__"} == folders


def test_a_release_that_cannot_be_written_leaves_the_record_as_it_was(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions.release(["rerun_report"])
    before = texts(project)
    write = Path.write_text

    def write_half(path: Path, text: str, **more: Any) -> int:
        write(path, text[: len(text) // 2], **more)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", write_half)
    with pytest.raises(OSError, match="No space left"):
        versions.release(["undo_rerun"])
    assert texts(project) == before


@pytest.mark.usefixtures("released")
def test_the_revision_replaces_the_routine_and_goes_back(empty_database: URL) -> None:
    database = engine(empty_database)
    migrate.upgrade(database)
    before = state(empty_database)
    versions.new_version("rerun_report")
    live = files.routine_file(NAME).path
    live.write_text(live.read_text().replace("\nbegin\n", "\nbegin\n  -- the next version\n"))

    assert migrate.upgrade(database) == []
    assert rows(empty_database, INSTALLED) == [{"version": 2}]
    [row] = rows(empty_database, "select pg_get_functiondef('public.rerun_report'::regproc) as definition")
    assert "-- the next version" in row["definition"]
    migrate.downgrade(database, "reports@head-1")
    assert state(empty_database) == before


@pytest.mark.needs("time")
@pytest.mark.usefixtures("released")
def test_two_new_versions_follow_each_other_when_the_first_is_released(empty_database: URL) -> None:
    versions.new_version("rerun_report")
    [added] = versions.release([NAME])
    assert (added.name, added.version) == (NAME, 2)
    versions.new_version("rerun_report")
    migrate.upgrade(engine(empty_database))
    assert rows(empty_database, INSTALLED) == [{"version": 3}]


def test_a_version_that_is_not_released_is_edited_in_place(project: Path) -> None:
    before = texts(project)
    with pytest.raises(ValueError, match=r"(?s)Version 1 of reports/rerun_report is not released.*pgreprise migrate"):
        versions.new_version("rerun_report")
    assert texts(project) == before


def test_a_released_text_that_was_edited_is_no_new_version(released: Path) -> None:
    live = files.routine_file(NAME).path
    live.write_text(live.read_text() + "-- a small improvement\n")
    before = texts(released)
    with pytest.raises(files.TextError, match=r"git stash && pgreprise routine new reports/rerun_report"):
        versions.new_version("rerun_report")
    assert texts(released) == before


def test_a_revision_that_cannot_be_written_leaves_nothing_behind(
    released: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Path:
        raise OSError("No space left on device")

    monkeypatch.setattr(versions, "_write_revision", fail)
    before = texts(released)
    with pytest.raises(OSError, match="No space left"):
        versions.new_version("rerun_report")
    with pytest.raises(OSError, match="No space left"):
        versions.new_routine("reports/cost_of_rerun", "rerun")
    assert texts(released) == before


def test_a_new_routine_gets_a_file_in_its_room_and_a_revision(project: Path, empty_database: URL) -> None:
    path, revision = versions.new_routine("reports/cost_of_rerun", "rerun")
    assert path == project / "sql" / "reports" / "rerun" / "cost_of_rerun.sql"
    assert 'op.create_routine("reports/cost_of_rerun", version=1)' in revision.read_text()
    migrate.upgrade(engine(empty_database))
    assert rows(empty_database, "select to_regprocedure('pgreprise.cost_of_rerun()') is not null as there") == [
        {"there": True}
    ]
    migrate.downgrade(engine(empty_database), "reports@head-1")
    assert rows(empty_database, "select to_regprocedure('pgreprise.cost_of_rerun()') is not null as there") == [
        {"there": False}
    ]


@pytest.mark.parametrize(
    ("name", "room"),
    [
        ("cost_of_rerun", "rerun"),
        ("taxes/cost_of_rerun", "rerun"),
        ("reports/Cost", "rerun"),
        ("reports/cost_of_rerun", "../rerun"),
        (NAME, "rerun"),
    ],
)
def test_a_new_routine_that_cannot_be_one_is_refused(project: Path, name: str, room: str) -> None:
    before = texts(project)
    with pytest.raises(ValueError, match=r"domains are carbon, core, reports|exists already"):
        versions.new_routine(name, room)
    assert texts(project) == before


@pytest.mark.usefixtures("released")
def test_the_generated_revisions_keep_the_style_of_the_project() -> None:
    _, replacing = versions.new_version("rerun_report")
    _, creating = versions.new_routine("reports/cost_of_rerun", "rerun")
    for command in (["check"], ["format", "--check"]):
        subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--config", PROJECT / "pyproject.toml", replacing, creating],
            check=True,
        )


@pytest.mark.usefixtures("project")
def test_an_unknown_routine_is_named() -> None:
    with pytest.raises(LookupError, match="no file for routine rerun_everything"):
        versions.new_version("rerun_everything")


def test_a_name_of_several_domains_asks_which_is_meant(project: Path) -> None:
    other = project / "sql" / "core" / "kit" / "rerun_report.sql"
    other.write_bytes(files.routine_file(NAME).path.read_bytes())
    with pytest.raises(ValueError, match=r"say which: core/rerun_report or reports/rerun_report"):
        versions.new_version("rerun_report")


def test_an_installed_package_is_not_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    package = Path(pyapi.__file__).parent
    monkeypatch.setattr(files, "_project_folder", lambda name: package / name)
    for start in (
        lambda: versions.new_version("rerun_report"),
        lambda: versions.new_routine("reports/cost_of_rerun", "rerun"),
        versions.release,
    ):
        with pytest.raises(ValueError, match=r"belongs to an installed package.*checkout"):
            start()
