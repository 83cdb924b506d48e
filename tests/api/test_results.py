"""An application shows results over HTTP: what differs between two runs."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.support.databases import Connection
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.replies import refused, succeeded
from tests.support.snapshots import everything
from tests.support.statements import rerun

OLD = '{"b" : 2,  "a": [1.50], "c": null}'
NEW = '{"a": [1.5, 0.12345678901234567890123], "b": 9007199254740993, "c": {"d": 1e400}}'


@pytest.fixture
def report(dba: Connection) -> int:
    """A household report with the results OLD and NEW of runs 1 and 2, at run 3, which is pending."""
    set_versions(dba)
    made = add_report(dba, add_simulation(dba, population_type="household"), output=OLD)
    rerun(dba, made)
    dba.execute("select update_report(%s, status => 'complete', output => %s)", (made, NEW))
    rerun(dba, made)
    return made


# --- two runs compared -----------------------------------------------------------------------


def test_two_runs_are_compared_and_no_number_loses_a_digit(client: FlaskClient, dba: Connection, report: int) -> None:
    before = everything(dba)
    path = f"/us/report/{report}/runs/compare?run_sequence=1&other_run_sequence=2"
    differences = succeeded(client.get(path))
    assert [tuple(each.values()) for each in differences] == [
        ("/a/1", "added", None, "0.12345678901234567890123"),
        ("/b", "changed", "2", "9007199254740993"),
        ("/c", "changed", "null", '{"d": 1' + "0" * 400 + "}"),
    ]
    assert list(differences[0]) == ["path", "change", "old_value", "new_value"]
    assert succeeded(client.get(f"{path}&max_rows=1")) == differences[:1]
    assert succeeded(client.get(f"{path}&max_rows=1&after_path=/a/1")) == differences[1:2]
    assert succeeded(client.get(f"{path}&after_path=/c")) == []
    assert everything(dba) == before


@pytest.mark.parametrize(
    "query",
    [
        *("", "run_sequence=1", "other_run_sequence=1", "run_sequence=1&other_run_sequence=-1"),
        *("run_sequence=x&other_run_sequence=1", "run_sequence=1&other_run_sequence=1&max_rows=0"),
        *("run_sequence=1&other_run_sequence=1&max_rows=1001", "run_sequence=1&other_run_sequence=1&after_path=%00"),
        f"run_sequence=1&other_run_sequence={2**63}",
    ],
)
def test_a_comparison_names_two_runs(client: FlaskClient, report: int, query: str) -> None:
    refused(client.get(f"/us/report/{report}/runs/compare?{query}"), 400, "BAD_REQUEST")


def test_what_cannot_be_compared_is_refused(client: FlaskClient, dba: Connection, report: int) -> None:
    def compare(path: str, other: int, status: int, code: str) -> str:
        reply = client.get(f"{path}/runs/compare?run_sequence=1&other_run_sequence={other}")
        return str(refused(reply, status, code)["message"])

    mine = f"/us/report/{report}"
    assert compare(mine, 3, 404, "RR019") == f"Run 3 of report #{report} has no output. Its status is pending."
    assert compare(mine, 4, 404, "RR019") == f"Report #{report} has no run 4."
    compare("/us/report/999", 1, 404, "RR001")
    compare(f"/uk/report/{report}", 1, 404, "RR001")
    compare(f"/zz/report/{report}", 1, 400, "RR008")
    dba.execute("""update public.report_outputs set output = '"\\u0000"'""")
    assert compare(mine, 3, 400, "RR016").startswith(f"The output of run 3 of report #{report} cannot be compared")
