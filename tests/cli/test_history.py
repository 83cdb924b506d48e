"""Someone reads with the command what was done to all reports, and says why a report is rerun."""

from __future__ import annotations

import json

import pytest

from tests.support.command import Run
from tests.support.databases import Connection
from tests.support.factories import add_report, add_simulation, set_versions


@pytest.fixture
def report(dba: Connection) -> int:
    """A report that can be rerun."""
    set_versions(dba)
    return add_report(dba, add_simulation(dba, population_type="household"))


def test_a_reason_is_kept_and_the_history_shows_it(pgreprise: Run, report: int) -> None:
    pgreprise("rerun", "us", str(report), "--reason", "the model was fixed")
    pgreprise("undo", "1", "--reason", "it was not")
    undo, rerun = json.loads(pgreprise("history", "--json", "--since", "1h").stdout)
    assert [(act["kind"], act["reason"]) for act in (undo, rerun)] == [
        ("undo", "it was not"),
        ("rerun", "the model was fixed"),
    ]
    shown = pgreprise("history", "--kind", "rerun", "--report", str(report), "--country", "us").stdout
    assert "the model was fixed" in shown
    assert "it was not" not in shown
    page = pgreprise("history", "--limit", "1")
    assert page.stderr == "Earlier acts: --before 2\n"
    assert "it was not" not in pgreprise("history", "--before", "2").stdout
    assert pgreprise("history", "--until", "2001-01-01").stdout == "No act meets these conditions.\n"


@pytest.mark.parametrize("moment", ["yesterday", "30", "1y", "2026-13-01", "-1d"])
def test_a_time_that_is_none_is_explained(pgreprise: Run, moment: str) -> None:
    done = pgreprise("history", f"--since={moment}")
    assert done.returncode == 2
    assert "or how long ago it is, as 30m, 12h, 30d or 4w" in done.stderr
