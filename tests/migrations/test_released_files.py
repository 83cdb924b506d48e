"""A released SQL file never changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyapi.schema import files


def test_every_sql_file_is_recorded_as_released_and_unchanged() -> None:
    assert files.changed_files() == []
    recorded = {line.split("  ", 1)[1] for line in (files.sql_folder() / "CHECKSUMS").read_text().splitlines()}
    present = {path.relative_to(files.sql_folder()).as_posix() for path in files.sql_folder().rglob("*.sql")}
    assert sorted(present - recorded) == [], "`pgreprise routine record` records new files"


def test_a_changed_and_a_removed_file_are_found_and_nothing_is_recorded_over_them(project: Path) -> None:
    files.record_checksums()
    recorded = (project / "sql" / "CHECKSUMS").read_bytes()
    changed, removed = "reports/procedures/rerun_report_v01.sql", "reports/steps/table_privileges.sql"
    with (project / "sql" / changed).open("a") as file:
        file.write("-- a small improvement\n")
    (project / "sql" / removed).unlink()
    assert sorted(files.changed_files()) == [changed, removed]
    with pytest.raises(ValueError, match=changed):
        files.record_checksums()
    assert (project / "sql" / "CHECKSUMS").read_bytes() == recorded


def test_a_new_file_is_added_to_the_record(project: Path) -> None:
    files.record_checksums()
    added = project / "sql" / "reports" / "functions" / "added_v01.sql"
    added.write_text("-- new\n")
    assert files.changed_files() == []
    assert files.record_checksums() == ["reports/functions/added_v01.sql"]
    assert files.record_checksums() == []
    added.write_text("-- newer\n")
    assert files.changed_files() == ["reports/functions/added_v01.sql"]


def test_a_routine_file_with_another_name_is_refused(project: Path) -> None:
    (project / "sql" / "reports" / "functions" / "rerun_report_1.sql").write_text("select 1;\n")
    with pytest.raises(ValueError, match=r"rerun_report_1\.sql is not named <routine>_v<NN>\.sql"):
        files.live_routines()
