"""A released text never changes: `migrate`, the release and this test refuse one that was edited."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from sqlalchemy import URL

from pyapi.schema import files, migrate, versions
from tests.support.databases import engine, rows
from tests.support.projects import PROJECT

NAME = "reports/rerun_report"


def edit(project: Path, name: str) -> None:
    """Edit a file of the project's copy."""
    [path] = (project / "sql").glob(f"{name}.sql")
    path.write_text(path.read_text() + "-- a small improvement\n")


def test_no_released_text_was_edited() -> None:
    files.require_unchanged()


def test_every_routine_has_a_room_and_every_name_is_used_once(project: Path) -> None:
    assert {file.path.parent.parent.parent.name for file in files.live_routines()} == {"sql"}
    (project / "sql" / "reports" / "undo" / "rerun_report.sql").write_text("select 1;\n")
    with pytest.raises(ValueError, match="have one name; a name is used once in a domain"):
        files.live_routines()


def test_what_is_released_is_recorded_and_only_that(project: Path) -> None:
    everything = {(text.name, text.version) for text in files.unreleased_texts()}
    assert {(NAME, 1), ("reports/report_outputs", None)} < everything
    [added] = versions.release([NAME])
    assert (project / "sql" / "RELEASED").read_text() == f"{added.checksum}  {NAME}  1\n"
    assert {(text.name, text.version) for text in files.unreleased_texts()} == everything - {(NAME, 1)}
    assert {(text.name, text.version) for text in versions.release()} == everything - {(NAME, 1)}
    assert files.unreleased_texts() == versions.release() == []
    with pytest.raises(LookupError, match="no unreleased text reports/nothing"):
        versions.release(["reports/nothing"])


@pytest.mark.parametrize(
    ("edited", "named", "remedy"),
    [
        (
            "reports/rerun/rerun_report",
            "reports/rerun_report version 1 was edited",
            "git stash && pgreprise routine new reports/rerun_report && git stash pop",
        ),
        ("reports/host/simulations", "reports/simulations was edited", "git checkout sql/reports/host/simulations.sql"),
    ],
)
def test_an_edited_text_is_refused_by_migrate_and_by_the_release(
    project: Path, empty_database: URL, edited: str, named: str, remedy: str
) -> None:
    versions.release()
    recorded = (project / "sql" / "RELEASED").read_bytes()
    edit(project, edited)
    for refusing in (versions.release, files.require_released, lambda: migrate.upgrade(engine(empty_database))):
        with pytest.raises(files.TextError) as refused:
            refusing()
        assert named in str(refused.value)
        assert remedy in str(refused.value)
    assert (project / "sql" / "RELEASED").read_bytes() == recorded
    assert rows(empty_database, "select to_regnamespace('pgreprise') is null as untouched") == [{"untouched": True}]


def test_a_superseded_text_that_was_removed_is_refused_too(project: Path) -> None:
    versions.release()
    kept, _ = versions.new_version("rerun_report")
    kept.write_text("-- nothing\n")
    with pytest.raises(files.TextError, match=r"git checkout sql/released/reports/rerun_report_v01\.sql"):
        files.require_unchanged()
    assert project in kept.parents


def test_what_no_revision_installs_is_not_released(project: Path) -> None:
    names = {text.name for text in versions.release()}
    assert {"core/roles", "core/refuse_development_version", "carbon/find_duplicates", "reports/country"} < names
    assert not names & {"core/role_members", "reports/load_sample", "carbon/load_sample"}
    edit(project, "core/doctor/role_members")
    files.require_unchanged()


def test_a_damaged_record_is_refused_by_its_line(project: Path) -> None:
    versions.release([NAME])
    with (project / "sql" / "RELEASED").open("a") as record:
        record.write("<<<<<<< HEAD\n")
    with pytest.raises(files.TextError, match=r"sql/RELEASED, line 2, is not a released text: <<<<<<< HEAD"):
        files.require_unchanged()


@pytest.mark.usefixtures("project")
def test_a_wheel_needs_released_texts() -> None:
    with pytest.raises(files.TextError, match=r"(?s)SQL texts that are not released yet.*pgreprise routine release"):
        files.require_released()
    versions.release()
    files.require_released()


def test_line_ends_of_another_system_change_no_checksum(project: Path) -> None:
    versions.release()
    [path] = (project / "sql").glob("reports/rerun/rerun_report.sql")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    files.require_unchanged()


def test_a_byte_order_mark_is_no_part_of_a_text(project: Path) -> None:
    versions.release()
    for path in (*(project / "sql").glob("reports/rerun/rerun_report.sql"), project / "sql" / "RELEASED"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    files.require_unchanged()
    assert not files.routine_file("reports/rerun_report").sql.startswith("\ufeff")


def test_git_gives_every_text_its_own_line_ends() -> None:
    told = subprocess.run(
        ["git", "check-attr", "eol", "--", "sql/reports/rerun/rerun_report.sql", ".ci/run", "Makefile"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert [line.rpartition(": ")[2] for line in told] == ["lf"] * 3


def test_a_superseded_file_with_another_name_is_refused(project: Path) -> None:
    other = project / "sql" / "released" / "reports" / "rerun_report_1.sql"
    other.parent.mkdir(parents=True)
    other.write_text("select 1;\n")
    with pytest.raises(ValueError, match=r"rerun_report_1\.sql is not named <routine>_v<NN>\.sql"):
        files.live_routines()
