"""Someone asks what a rerun changed: the outputs of two runs are compared as JSON, place by place."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from tests.support.databases import Connection
from tests.support.factories import add_report, add_simulation, set_versions
from tests.support.refusals import refusal
from tests.support.snapshots import everything
from tests.support.statements import rerun

COMPARE = "select * from compare_runs(%s, %s, %s)"
Difference = tuple[str, str, str | None, str | None]


@pytest.fixture
def household(sandbox: Connection) -> int:
    """A household simulation."""
    set_versions(sandbox)
    return add_simulation(sandbox, population_type="household")


@pytest.fixture
def report(sandbox: Connection, household: int) -> int:
    return add_report(sandbox, household, output={"budget": 1})


def with_runs(connection: Connection, *outputs: str) -> int:
    """A report whose runs have these outputs, as JSON text."""
    report = add_report(connection, add_simulation(connection, population_type="household"), output=None)
    for number, output in enumerate(outputs):
        if number:
            rerun(connection, report)
        # As an application that writes its own table.
        connection.execute(
            "update public.report_outputs set status = 'complete', output = %s where id = %s", (output, report)
        )
    return report


def compared(connection: Connection, report: int, **arguments: Any) -> list[Difference]:
    given = {"run_sequence": 1, "other_run_sequence": 2, **arguments}
    names = ", ".join(f"{name} => %({name})s" for name in given)
    rows = connection.execute(
        f"select path, change, old_value::text as old, new_value::text as new "  # noqa: S608
        f"from compare_runs(%(report_id)s::bigint, {names})".encode(),
        {"report_id": report, **given},
    ).fetchall()
    return [(row["path"], row["change"], row["old"], row["new"]) for row in rows]


# --- what differs ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('{"a": 1, "b": [1, {"c": true}]}', '{"b":[1.0,{"c":true}],"a":1e0}', []),
        ("1", "2", [("", "changed", "1", "2")]),
        ("1", '"1"', [("", "changed", "1", '"1"')]),
        ("{}", "[]", [("", "changed", "{}", "[]")]),
        ("{}", "null", [("", "changed", "{}", "null")]),
        ("{}", '{"a": null}', [("/a", "added", None, "null")]),
        ('{"a": null}', "{}", [("/a", "removed", "null", None)]),
        ('{"a": null}', '{"a": {}}', [("/a", "changed", "null", "{}")]),
        ('{"a": {"b": 1}}', '{"a": [1]}', [("/a", "changed", '{"b": 1}', "[1]")]),
        ('{"a": {}}', '{"a": {"b": {"c": 1}}}', [("/a/b", "added", None, '{"c": 1}')]),
        ("[1, 2, 3]", "[1, 3]", [("/1", "changed", "2", "3"), ("/2", "removed", "3", None)]),
        ("[]", "[[]]", [("/0", "added", None, "[]")]),
        ('{"a/b": 1, "m~n": 1, "": 1, "~1": 1}', "{}", [
            ("/", "removed", "1", None),
            ("/a~1b", "removed", "1", None),
            ("/m~0n", "removed", "1", None),
            ("/~01", "removed", "1", None),
        ]),
        # The last of equal keys is what jsonb keeps.
        ('{"a": 1, "a": 2}', '{"a": 2}', []),
        ("0.12345678901234567890123", "0.12345678901234567890124",
         [("", "changed", "0.12345678901234567890123", "0.12345678901234567890124")]),
        ("9007199254740993", "9007199254740992", [("", "changed", "9007199254740993", "9007199254740992")]),
        ('"é"', '"e\\u0301"', [("", "changed", '"é"', '"e\u0301"')]),
    ],
)  # fmt: skip
def test_each_place_that_differs_is_a_row(sandbox: Connection, old: str, new: str, expected: list[Difference]) -> None:
    report = with_runs(sandbox, old, new)
    before = everything(sandbox)
    assert compared(sandbox, report) == expected
    names = {"added": "removed", "removed": "added", "changed": "changed"}
    backwards = compared(sandbox, report, run_sequence=2, other_run_sequence=1)
    assert backwards == [(path, names[change], after, first) for path, change, first, after in expected]
    assert compared(sandbox, report, other_run_sequence=1) == []
    assert everything(sandbox) == before


def keys_of(path: str) -> list[str]:
    """The keys of a JSON pointer, by RFC 6901."""
    return [key.replace("~1", "/").replace("~0", "~") for key in path.split("/")[1:]]


def applied(document: Any, differences: list[Difference]) -> Any:
    """A document with the differences made to it. An array loses its last elements first."""
    removed = [each for each in reversed(differences) if each[1] == "removed"]
    for path, change, _, value in (*removed, *(each for each in differences if each[1] != "removed")):
        *keys, last = keys_of(path)
        place = document
        for key in keys:
            place = place[int(key)] if isinstance(place, list) else place[key]
        if change == "removed":
            place.pop(int(last) if isinstance(place, list) else last)
        elif isinstance(place, list):
            place[int(last) : int(last) + 1] = [json.loads(str(value))]
        else:
            place[last] = json.loads(str(value))
    return document


def test_the_differences_make_one_output_of_the_other(sandbox: Connection) -> None:
    old = {"deciles": [{"1": 0.1}, {"2": 0.2}], "x~/y": {"": {"/": 1, "~": [1, 2, 3]}}, "gone": [1], "same": {"a": []}}
    new = {"deciles": [{"1": 0.3, "~1": 2}, 7, 8], "x~/y": {"": {"/": {}, "~": [1]}}, "same": {"a": []}, "00": 1}
    report = with_runs(sandbox, json.dumps(old), json.dumps(new))
    forwards = compared(sandbox, report)
    assert len(forwards) == 9
    backwards = compared(sandbox, report, run_sequence=2, other_run_sequence=1)
    assert applied(deepcopy(old), forwards) == new
    assert applied(deepcopy(new), backwards) == old


# --- order and pages -------------------------------------------------------------------------


def test_the_rows_are_in_the_order_of_the_document_and_can_be_read_in_pages(sandbox: Connection) -> None:
    new = {"b": list(range(12)), "a": {"x": 1}, "a-b": 1, "10": 1, "9": 1, "09": 1, "0000000009": 1, "ä": 1, "": 1}
    report = with_runs(sandbox, '{"b": [], "a": {}}', json.dumps(new))
    whole = compared(sandbox, report)
    paths = [path for path, *_ in whole]
    assert paths == [
        *("/", "/0000000009", "/9", "/10", "/09", "/a/x", "/a-b"),
        *(f"/b/{number}" for number in range(12)),
        "/ä",
    ]
    for size in (1, 2, 7, len(whole)):
        read: list[Difference] = []
        while page := compared(sandbox, report, max_rows=size, after_path=read[-1][0] if read else None):
            read += page
        assert read == whole
    assert compared(sandbox, report, after_path="/a") == whole[5:]
    assert compared(sandbox, report, after_path="/zz") == whole[-1:]


@pytest.mark.parametrize("max_rows", [0, -1, 1001, None])
def test_a_page_has_1_to_1000_rows(sandbox: Connection, report: int, max_rows: int | None) -> None:
    said = refusal(sandbox, "select * from compare_runs(%s, 1, 1, max_rows => %s)", report, max_rows)
    assert said[:3] == ("RR016", "max_rows must be between 1 and 1000.", {"max_rows": max_rows})


def test_a_large_output_is_cut_into_pages(sandbox: Connection) -> None:
    report = with_runs(sandbox, "[]", json.dumps(list(range(2500))))
    first = compared(sandbox, report)
    assert len(first) == 1000
    assert first[-1][0] == "/999"
    assert [path for path, *_ in compared(sandbox, report, after_path="/1999")] == [f"/{n}" for n in range(2000, 2500)]


def test_what_is_nested_more_than_200_deep_is_one_difference(sandbox: Connection) -> None:
    deep = [f"{'[' * 3000}{value}{']' * 3000}" for value in (1, 2)]
    [(path, change, old, new)] = compared(sandbox, with_runs(sandbox, *deep))
    assert (path, change) == ("/0" * 200, "changed")
    assert (old, new) == tuple(text[200:-200] for text in deep)


# --- what cannot be compared -----------------------------------------------------------------


@pytest.mark.parametrize("text", ['"\\u0000"', '{"a": ["\\ud800"]}', "1e1000000"])
def test_an_output_that_jsonb_cannot_hold_is_rr016(sandbox: Connection, text: str) -> None:
    report = with_runs(sandbox, "1", text)
    said = refusal(sandbox, COMPARE, report, 1, 2)
    assert said.code == "RR016"
    assert str(said.message).startswith(f"The output of run 2 of report #{report} cannot be compared: ")
    assert said.detail == {"report_id": report, "run_sequence": 2}
    assert refusal(sandbox, COMPARE, report, 2, 1).detail == {"report_id": report, "run_sequence": 2}


def test_a_run_without_an_output_is_rr019_and_says_why(sandbox: Connection, report: int) -> None:
    rerun(sandbox, report)
    said = refusal(sandbox, COMPARE, report, 1, 2)
    assert said[:3] == (
        "RR019",
        f"Run 2 of report #{report} has no output. Its status is pending.",
        {"report_id": report, "run_sequence": 2, "status": "pending", "had_output": False},
    )
    assert str(said.hint).endswith(f"from report_history({report}) lists the runs.")
    sandbox.execute("select update_report(%s, status => 'complete', output => '{}')", (report,))
    assert len(compared(sandbox, report)) == 1
    # As a purge does.
    sandbox.execute("update pgreprise.report_run set output = null")
    said = refusal(sandbox, COMPARE, report, 2, 1)
    assert said[:2] == ("RR019", f"The output of run 1 of report #{report} was purged, or it was never kept.")


@pytest.mark.parametrize("run", [0, 3, -1, 2**31, None])
def test_a_run_that_never_was_is_rr019(sandbox: Connection, report: int, run: int | None) -> None:
    rerun(sandbox, report)
    for pair in ((1, run), (run, 1)):
        said = refusal(sandbox, "select * from compare_runs(%s, %s::bigint, %s::bigint)", report, *pair)
        assert said[:2] == ("RR019", f"Report #{report} has no run {'null' if run is None else run}.")


def test_a_report_is_found_in_its_own_country_only(sandbox: Connection, report: int) -> None:
    assert refusal(sandbox, COMPARE, 999, 1, 1).code == "RR001"
    for country, code in (("uk", "RR001"), ("zz", "RR008")):
        assert refusal(sandbox, "select * from compare_runs(%s, 1, 1, %s)", report, country).code == code
    assert compared(sandbox, report, country_id="us", other_run_sequence=1) == []
