"""Someone looks at results with the command: the last good one of a report, and what differs between two runs."""

from __future__ import annotations

import json

import pytest

from tests.support.command import Run
from tests.support.databases import Connection
from tests.support.factories import VERSIONS, add_report, add_simulation, set_versions
from tests.support.statements import rerun

OLD = '{"b" : 2,  "a": [1.50]}'
NEW = json.dumps({"a": ["x" * 100, *range(9)], "b": 2})


@pytest.fixture
def report(dba: Connection) -> str:
    """A household report with the results OLD and NEW of runs 1 and 2, at run 3, which is pending."""
    set_versions(dba)
    made = add_report(dba, add_simulation(dba, population_type="household"), output=OLD)
    rerun(dba, made)
    dba.execute("select update_report(%s, status => 'complete', output => %s)", (made, NEW))
    rerun(dba, made)
    return str(made)


# --- the last good result --------------------------------------------------------------------


def test_the_last_good_output_is_printed_and_stderr_tells_which_it_is(
    pgreprise: Run, dba: Connection, report: str
) -> None:
    done = pgreprise("last-good", "us", report)
    assert (done.returncode, done.stdout) == (0, f"{NEW}\n")
    assert f"Run 2 of report #{report}, version {VERSIONS['us']['report_output']}" in done.stderr
    assert "Run 3 is at status pending since " in done.stderr
    dba.execute("select set_cache_versions('us', report_output => 'r-next')")
    assert "which is not the current one" in pgreprise("last-good", "us", report).stderr
    found = json.loads(pgreprise("last-good", "us", report, "--json").stdout)
    assert (found["run_sequence"], found["output"], found["newer_run_sequence"]) == (2, NEW, 3)


def test_the_current_result_has_no_newer_run(pgreprise: Run, dba: Connection, report: str) -> None:
    dba.execute("select update_report(%s, status => 'complete', output => '{}')", (int(report),))
    done = pgreprise("last-good", "us", report)
    assert (done.returncode, done.stdout, done.stderr.count("Run ")) == (0, "{}\n", 1)


def test_a_report_without_a_good_result_is_a_sentence(pgreprise: Run, dba: Connection, report: str) -> None:
    dba.execute("update pgreprise.report_run set output = null")
    done = pgreprise("last-good", "us", report)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Report #{report} has no run with a complete output. (RR019)" in done.stderr


# --- two runs compared -----------------------------------------------------------------------


def test_what_differs_is_a_table_or_an_array(pgreprise: Run, report: str) -> None:
    done = pgreprise("compare-runs", "us", report, "1", "2", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    first, *rest = json.loads(done.stdout)
    assert first == {"path": "/a/0", "change": "changed", "old_value": "1.50", "new_value": f'"{"x" * 100}"'}
    assert [(row["path"], row["new_value"]) for row in rest] == [(f"/a/{n + 1}", str(n)) for n in range(9)]
    table = pgreprise("compare-runs", "us", report, "1", "2")
    assert (table.returncode, table.stderr) == (0, "")
    assert "x" * 56 + "..." in table.stdout
    assert "x" * 57 not in table.stdout


def test_a_page_tells_how_to_get_the_next_one(pgreprise: Run, report: str) -> None:
    done = pgreprise("compare-runs", "us", report, "1", "2", "--limit", "3")
    assert done.stderr == "More differences: --after /a/2\n"
    rest = pgreprise("compare-runs", "us", report, "1", "2", "--after", "/a/2", "--json")
    assert [row["path"] for row in json.loads(rest.stdout)] == [f"/a/{n}" for n in range(3, 10)]
    assert pgreprise("compare-runs", "us", report, "1", "1").stdout == "The outputs do not differ.\n"
    assert pgreprise("compare-runs", "us", report, "1", "2", "--after", "/z").stdout == "No further difference.\n"


def test_a_run_without_an_output_is_a_sentence(pgreprise: Run, report: str) -> None:
    done = pgreprise("compare-runs", "us", report, "1", "3")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Run 3 of report #{report} has no output. Its status is pending. (RR019)" in done.stderr
