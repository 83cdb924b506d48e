"""A developer runs the tests where something is absent that some of them need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import environment
from tests.support.projects import PROJECT

# Each runs pytest anew.
pytestmark = pytest.mark.needs("time")

# The embedded servers never have plpgsql_check.
SUITE = """
import pytest

@pytest.mark.needs("plpgsql_check")
def test_that_checks(): pass

def test_that_needs_nothing(): pass

def test_that_finds_no_data(): {reaction}

@pytest.mark.xfail(reason="known")
def test_that_is_known_to_fail(): assert False
"""
ABSENT = "the embedded servers have no plpgsql_check"


def outcome(folder: Path, suite: str, *arguments: str, **settings: str) -> tuple[int, str]:
    """The exit code of a suite, and what was printed."""
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers -ra -p no:cacheprovider\n")
    (folder / "test_suite.py").write_text(suite)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.support.needs",
        "-c",
        str(folder / "pytest.ini"),
        *arguments,
    ]
    done = subprocess.run(
        [*command, str(folder)],
        cwd=PROJECT,
        env=environment(**settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    return done.returncode, done.stdout


def test_a_test_whose_need_is_absent_is_skipped_with_the_reason(tmp_path: Path) -> None:
    code, said = outcome(tmp_path, SUITE.format(reaction='pytest.skip("the data is absent")'))
    assert code == 0
    assert "1 passed, 2 skipped, 1 xfailed" in said
    assert ABSENT in said
    assert "the data is absent" in said


@pytest.mark.parametrize("processes", ["0", "2"])
def test_where_no_skip_is_allowed_each_is_a_failure_with_the_reason(tmp_path: Path, processes: str) -> None:
    suite = SUITE.format(reaction='pytest.skip("the data is absent")')
    code, said = outcome(tmp_path, suite, "--numprocesses", processes, PGREPRISE_NO_SKIPS="1")
    assert code == 1
    assert "1 passed, 1 xfailed" in said
    assert "skipped" not in said
    assert f"PGREPRISE_NO_SKIPS=1 allows no skip. Skipped: {ABSENT}" in said
    assert "PGREPRISE_NO_SKIPS=1 allows no skip. Skipped: the data is absent" in said


def test_a_module_that_is_skipped_as_a_whole_is_a_failure_too(tmp_path: Path) -> None:
    suite = 'import pytest\npytest.importorskip("a_package_that_nobody_has")\ndef test_it(): pass\n'
    assert outcome(tmp_path, suite)[0] == 5
    code, said = outcome(tmp_path, suite, PGREPRISE_NO_SKIPS="1")
    assert code == 2
    assert "allows no skip. Skipped: could not import 'a_package_that_nobody_has'" in said


def test_what_a_run_is_known_not_to_have_is_left_out(tmp_path: Path) -> None:
    suite = SUITE.format(reaction="pass")
    code, said = outcome(tmp_path, suite, "--without", "plpgsql_check", PGREPRISE_NO_SKIPS="1")
    assert code == 0
    assert "2 passed, 1 deselected, 1 xfailed" in said


def test_a_need_of_which_nothing_is_known_is_an_error(tmp_path: Path) -> None:
    code, said = outcome(tmp_path, 'import pytest\n@pytest.mark.needs("luck")\ndef test_it(): pass\n')
    assert code == 4
    assert "needs luck; tests/support/needs.py knows no such thing" in said
