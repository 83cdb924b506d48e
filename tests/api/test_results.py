"""An application shows results over HTTP: the last good one of a report, and what differs between two runs."""

from __future__ import annotations

import re
from datetime import datetime

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


# --- the last good result --------------------------------------------------------------------


def test_the_last_good_result_comes_with_the_run_that_is_newer(
    client: FlaskClient, dba: Connection, report: int
) -> None:
    before = everything(dba)
    found = succeeded(client.get(f"/us/report/{report}/runs/last-good"))
    assert everything(dba) == before
    assert (found["report_id"], found["run_sequence"], found["is_current"]) == (report, 2, False)
    assert (found["output"], found["is_stale"]) == (NEW, False)
    assert (found["newer_run_sequence"], found["newer_status"]) == (3, "pending")
    assert datetime.fromisoformat(found["newer_since"]).tzinfo is not None


def test_a_caller_who_has_the_last_good_result_is_told_so_until_something_changes(
    client: FlaskClient, dba: Connection, report: int
) -> None:
    path = f"/us/report/{report}/runs/last-good"
    first = client.get(path)
    tag = first.headers["ETag"]
    # Weak: it tells what is shown, and not in which bytes.
    assert re.fullmatch(r'W/"[0-9a-f]+"', tag)
    for sent in (tag, f'"other", {tag}', tag.removeprefix("W/"), f'W/"{"0" * 32}", {tag}', "*"):
        for method in ("GET", "HEAD"):
            same = client.open(path, method=method, headers={"If-None-Match": sent})
            assert (same.status_code, same.data, same.headers["ETag"]) == (304, b"", tag), sent
            assert "Content-Length" not in same.headers
            assert same.headers["X-Request-Id"]
    assert client.get(path, headers={"If-None-Match": '"other"'}).data == first.data
    assert client.get(path, headers={"If-Match": '"other"'}).status_code == 200

    changes = (
        "select update_report(%s, status => 'running')",
        "select update_report(%s, status => 'error', error_message => 'worker lost')",
        "call rerun_report(%s::bigint)",
        "select update_report(%s, status => 'complete', output => '{}')",
    )
    for change in changes:
        dba.execute(change, (report,))
        reply = client.get(path, headers={"If-None-Match": tag})
        assert succeeded(reply)
        assert reply.headers["ETag"] != tag
        tag = reply.headers["ETag"]
    assert succeeded(client.get(path))["run_sequence"] == 4
    dba.execute("select set_cache_versions('us', report_output => 'r-next')")
    assert succeeded(client.get(path, headers={"If-None-Match": tag}))["is_stale"] is True


def test_a_refusal_has_no_etag(client: FlaskClient, dba: Connection, report: int) -> None:
    dba.execute("update public.report_outputs set status = 'error'")
    dba.execute("update pgreprise.report_run set output = null")
    for path, status, code in (
        (f"/us/report/{report}", 404, "RR019"),
        ("/us/report/999", 404, "RR001"),
        (f"/uk/report/{report}", 404, "RR001"),
        (f"/zz/report/{report}", 400, "RR008"),
    ):
        reply = client.get(f"{path}/runs/last-good", headers={"If-None-Match": "*"})
        refused(reply, status, code)
        assert "ETag" not in reply.headers


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
