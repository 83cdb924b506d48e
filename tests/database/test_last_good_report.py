"""An application shows the last good result of a report while a newer run is computed or after that has failed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.databases import Connection
from tests.support.factories import ODD_JSON, VERSIONS, add_report, add_simulation, set_versions
from tests.support.refusals import refusal
from tests.support.snapshots import everything
from tests.support.statements import newest_act, one, rerun

LAST_GOOD = "select * from last_good_report(%s)"


@pytest.fixture
def report(sandbox: Connection) -> int:
    """A complete household report of an old version, at run 1."""
    set_versions(sandbox)
    household = add_simulation(sandbox, population_type="household")
    made = add_report(sandbox, household, api_version="r-old", output=None)
    sandbox.execute("update public.report_outputs set output = %s where id = %s", (ODD_JSON, made))
    return made


def last_good(connection: Connection, report: int, *more: Any) -> dict[str, Any]:
    places = ", %s" * len(more)
    return one(
        connection,
        f"select good.*, good.output::text as output from last_good_report(%s{places}) as good",  # noqa: S608
        report,
        *more,
    )


def compute(connection: Connection, report: int, output: str | None = "{}", status: str = "complete") -> None:
    connection.execute("select update_report(%s, status => %s, output => %s)", (report, status, output))


def test_the_current_result_is_the_last_good_one(sandbox: Connection, report: int) -> None:
    before = everything(sandbox)
    assert last_good(sandbox, report, "us") == {
        "report_id": report,
        "country_id": "us",
        "run_sequence": 1,
        "is_current": True,
        "api_version": "r-old",
        "is_stale": True,
        "output": ODD_JSON,
        "pending_since": None,
        "started_at": None,
        "finished_at": None,
        "attempt": None,
        "newer_run_sequence": None,
        "newer_status": None,
        "newer_since": None,
        "tag": last_good(sandbox, report, "us")["tag"],
    }
    assert everything(sandbox) == before


def test_while_a_newer_run_waits_the_earlier_result_is_given_byte_for_byte(sandbox: Connection, report: int) -> None:
    rerun(sandbox, report)
    found = last_good(sandbox, report)
    assert (found["run_sequence"], found["is_current"], found["output"]) == (1, False, ODD_JSON)
    assert (found["api_version"], found["is_stale"]) == ("r-old", True)
    assert (found["newer_run_sequence"], found["newer_status"]) == (2, "pending")
    assert found["newer_since"] == newest_act(sandbox)["created_at"]


@pytest.mark.parametrize("status", ["running", "error"])
def test_a_newer_run_that_is_computed_or_failed_is_named(sandbox: Connection, report: int, status: str) -> None:
    rerun(sandbox, report)
    compute(sandbox, report, output=None, status=status)
    found = last_good(sandbox, report)
    assert (found["run_sequence"], found["newer_run_sequence"], found["newer_status"]) == (1, 2, status)


def test_the_newest_of_several_good_runs_is_given(sandbox: Connection, report: int) -> None:
    rerun(sandbox, report)
    compute(sandbox, report, '{"second": 1}')
    rerun(sandbox, report)
    compute(sandbox, report, output=None, status="error")
    rerun(sandbox, report)
    found = last_good(sandbox, report)
    assert (found["run_sequence"], found["output"], found["newer_run_sequence"]) == (2, '{"second": 1}', 4)
    assert (found["api_version"], found["is_stale"]) == (VERSIONS["us"]["report_output"], False)
    compute(sandbox, report, '{"fourth": 1}')
    found = last_good(sandbox, report)
    assert (found["run_sequence"], found["is_current"], found["newer_run_sequence"]) == (4, True, None)


def test_after_an_undo_the_restored_result_is_the_current_one(sandbox: Connection, report: int) -> None:
    act = rerun(sandbox, report)["rerun_id"]
    sandbox.execute("call undo_rerun(%s::bigint)", (act,))
    found = last_good(sandbox, report)
    assert (found["run_sequence"], found["is_current"], found["output"]) == (3, True, ODD_JSON)
    assert (found["api_version"], found["is_stale"]) == ("r-old", True)


def test_where_no_version_was_ever_set_nobody_knows_whether_it_is_stale(sandbox: Connection, report: int) -> None:
    sandbox.execute("update pgreprise.country set report_output_version = null")
    assert last_good(sandbox, report)["is_stale"] is None


def test_an_output_that_is_gone_or_null_is_no_good_result(sandbox: Connection, report: int) -> None:
    rerun(sandbox, report)
    compute(sandbox, report, '{"second": 1}')
    rerun(sandbox, report)
    # As a purge does, and as an application may write it.
    sandbox.execute("update pgreprise.report_run set output = null where run_sequence = 2")
    sandbox.execute("update public.report_outputs set status = 'complete', output = 'null'")
    assert last_good(sandbox, report)["run_sequence"] == 1
    sandbox.execute("update pgreprise.report_run set output = null")
    said = refusal(sandbox, LAST_GOOD, report)
    assert said[:3] == (
        "RR019",
        f"Report #{report} has no run with a complete output.",
        {"report_id": report, "current_run_sequence": 3, "status": "complete"},
    )
    assert str(said.hint).startswith("Its current run 3 is at status complete. ")


def test_a_partial_result_is_no_good_one(sandbox: Connection, report: int) -> None:
    rerun(sandbox, report)
    compute(sandbox, report, '{"half": 1}', status="running")
    rerun(sandbox, report)
    assert last_good(sandbox, report)["run_sequence"] == 1


def test_the_result_of_a_deleted_report_with_the_same_id_is_not_given(sandbox: Connection, report: int) -> None:
    rerun(sandbox, report)
    sandbox.execute("delete from public.report_outputs where id = %s", (report,))
    add_report(sandbox, 1, id=report, status="pending", output=None)
    assert refusal(sandbox, LAST_GOOD, report).code == "RR019"


def test_a_report_is_found_in_its_own_country_only(sandbox: Connection, report: int) -> None:
    assert refusal(sandbox, LAST_GOOD, 999).code == "RR001"
    for country, code in (("uk", "RR001"), ("zz", "RR008")):
        assert refusal(sandbox, "select * from last_good_report(%s, %s)", report, country).code == code
