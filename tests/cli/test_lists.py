"""Someone lists reports with the command, by status, age, type, version and country."""

from __future__ import annotations

import json

import pytest

from tests.support.command import Run
from tests.support.databases import Connection
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.statements import rerun


@pytest.fixture
def ids(dba: Connection) -> list[int]:
    """A report that was rerun, one that failed, and one of uk with another version and year."""
    set_versions(dba)
    household = add_simulation(dba, population_type="household")
    abroad = add_simulation(dba, country_id="uk")
    made = [
        add_report(dba, household),
        add_report(dba, household, status="error", error_message="worker \x1b[31mlost"),
        add_report(dba, abroad, country_id="uk", api_version="r-old", year="2026"),
    ]
    rerun(dba, made[0])
    return made


@pytest.mark.parametrize(
    ("options", "places"),
    [
        ((), [0, 1, 2]),
        (("--country", "us"), [0, 1]),
        (("--status", "error"), [1]),
        (("--older-than", "0m"), [0]),
        (("--older-than", "1h"), []),
        (("--report-type", "geography"), [2]),
        (("--api-version", "r-old", "--year", "2026"), [2]),
        (("--limit", "1"), [0]),
    ],
    ids=str,
)
def test_options_are_conditions(pgreprise: Run, ids: list[int], options: tuple[str, ...], places: list[int]) -> None:
    done = pgreprise("reports", *options, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert [report["id"] for report in json.loads(done.stdout)] == [ids[place] for place in places]


def test_a_table_shows_no_control_characters_and_tells_how_to_go_on(pgreprise: Run, ids: list[int]) -> None:
    done = pgreprise("reports", "--limit", "2")
    assert done.returncode == 0
    assert "worker \\x1b[31mlost" in done.stdout
    assert done.stderr == f"More reports: --after {ids[1]}\n"
    rest = pgreprise("reports", "--limit", "2", "--after", str(ids[1]))
    assert (rest.stderr, "r-old" in rest.stdout) == ("", True)
    assert pgreprise("reports", "--after", str(ids[2])).stdout == "No report meets these conditions.\n"


def test_a_country_that_does_not_exist_is_an_error(pgreprise: Run, ids: list[int]) -> None:  # noqa: ARG001
    done = pgreprise("reports", "--country", "zz")
    assert (done.returncode, done.stdout) == (1, "")
    assert "(RR008)" in done.stderr
