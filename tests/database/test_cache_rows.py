"""A DBA deletes economy cache rows, says which versions are current, and looks for forgotten ones."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.databases import Connection
from tests.support.factories import (
    VERSIONS,
    add_economy_report,
    add_reform_impact,
    add_report,
    add_simulation,
    set_versions,
)
from tests.support.snapshots import snapshot
from tests.support.statements import one, rerun

KEY: dict[str, Any] = {
    "country_id": "us",
    "baseline_policy_id": 2,
    "reform_policy_id": 3,
    "region": "state/ny",
    "dataset": "default",
    "time_period": "2025",
}
# What else tells whether a row is one of a report's.
HASH = {"options_hash": "[]"}


def delete(connection: Connection, **arguments: Any) -> int:
    given = ", ".join(f"{name} => %s{'::text[]' if name == 'statuses' else ''}" for name in arguments)
    deleted: int = one(connection, f"select delete_reform_impacts({given}) as deleted", *arguments.values())["deleted"]
    return deleted


def remaining(connection: Connection) -> set[int]:
    return {row["reform_impact_id"] for row in snapshot(connection)["reform_impact"]}


# --- delete_reform_impacts -------------------------------------------------------------------


def test_null_version_and_null_statuses_mean_every_row_of_the_key(sandbox: Connection) -> None:
    for status in ("ok", "error", "computing", "odd"):
        for version in ("e1", "e2"):
            add_reform_impact(sandbox, status=status, api_version=version)
    assert delete(sandbox, **KEY) == 8
    assert remaining(sandbox) == set()
    assert delete(sandbox, **KEY) == 0


def test_computing_alone_is_what_the_legacy_helper_deleted(sandbox: Connection) -> None:
    kept = {add_reform_impact(sandbox, status=status, api_version="e1") for status in ("ok", "error")}
    for version in ("e1", "e2"):
        add_reform_impact(sandbox, status="computing", api_version=version)
    assert delete(sandbox, **KEY, statuses=["computing"]) == 2
    assert remaining(sandbox) == kept


def test_version_and_statuses_narrow_the_delete_together(sandbox: Connection) -> None:
    wanted = {add_reform_impact(sandbox, status=status, api_version="e1") for status in ("ok", "error")}
    kept = {
        add_reform_impact(sandbox, status="computing", api_version="e1"),
        add_reform_impact(sandbox, status="ok", api_version="e2"),
    }
    assert delete(sandbox, **KEY, api_version="e1", statuses=["ok", "error"]) == len(wanted)
    assert remaining(sandbox) == kept


@pytest.mark.parametrize("statuses", [[], [None], ["OK"]])
def test_statuses_that_no_row_has_delete_nothing(sandbox: Connection, statuses: list[str | None]) -> None:
    kept = {add_reform_impact(sandbox, status="ok")}
    assert delete(sandbox, **KEY, statuses=statuses) == 0
    assert remaining(sandbox) == kept


@pytest.mark.parametrize("part", [*KEY, *HASH])
def test_a_row_that_differs_in_one_part_of_the_key_stays_in_both_forms(sandbox: Connection, part: str) -> None:
    kept = {add_reform_impact(sandbox, status="computing", **{part: 9 if isinstance(KEY.get(part), int) else "uk"})}
    if part == "options_hash":
        kept.add(add_reform_impact(sandbox, status="computing", options_hash=None))
    add_reform_impact(sandbox, status="computing")
    add_reform_impact(sandbox, status="ok")
    assert delete(sandbox, **KEY, statuses=["computing"]) == 1
    assert delete(sandbox, **KEY) == 1
    assert remaining(sandbox) == kept


@pytest.mark.parametrize("part", KEY)
def test_a_null_in_the_key_deletes_nothing(sandbox: Connection, part: str) -> None:
    kept = {add_reform_impact(sandbox), add_reform_impact(sandbox, options_hash=None)}
    assert delete(sandbox, **{**KEY, part: None}) == 0
    assert remaining(sandbox) == kept


@pytest.mark.parametrize("policy", [2**63 - 1, -(2**63)])
def test_policies_beyond_the_column_match_nothing(sandbox: Connection, policy: int) -> None:
    kept = {add_reform_impact(sandbox)}
    assert delete(sandbox, **{**KEY, "baseline_policy_id": policy}) == 0
    assert remaining(sandbox) == kept


def test_a_rolled_back_delete_deleted_nothing(sandbox: Connection) -> None:
    kept = {add_reform_impact(sandbox)}
    with sandbox.transaction(force_rollback=True):
        assert delete(sandbox, **KEY) == 1
    assert remaining(sandbox) == kept


# --- versions --------------------------------------------------------------------------------


def versions(connection: Connection) -> dict[str, tuple[Any, ...]]:
    rows = connection.execute("select * from cache_versions()").fetchall()
    return {row["country_id"]: (row["economy_impact"], row["report_output"], row["package"]) for row in rows}


def test_a_fresh_database_knows_five_countries_and_none_of_their_versions(sandbox: Connection) -> None:
    assert versions(sandbox) == dict.fromkeys(("ca", "il", "ng", "uk", "us"), (None, None, None))
    assert list(versions(sandbox)) == ["ca", "il", "ng", "uk", "us"]


def test_versions_are_set_for_one_country(sandbox: Connection) -> None:
    before = versions(sandbox)
    set_versions(sandbox, "us")
    us = VERSIONS["us"]
    assert versions(sandbox) == {**before, "us": (us["economy_impact"], us["report_output"], us["package"])}


@pytest.mark.parametrize(("position", "argument"), list(enumerate(("economy_impact", "report_output", "package"))))
def test_null_leaves_a_version_as_it_is(sandbox: Connection, position: int, argument: str) -> None:
    sandbox.execute("select set_cache_versions('us', 'e1', 'r1', 'p1')")
    sandbox.execute(f"select set_cache_versions('us', {argument} => 'new')")
    expected = ["e1", "r1", "p1"]
    expected[position] = "new"
    assert versions(sandbox)["us"] == tuple(expected)
    sandbox.execute("select set_cache_versions('us')")
    assert versions(sandbox)["us"] == tuple(expected)


def test_a_change_of_versions_is_dated(sandbox: Connection) -> None:
    with sandbox.transaction():
        set_versions(sandbox, "us")
        row = one(sandbox, "select updated_at = now() as dated from cache_versions() where country_id = 'us'")
    assert row["dated"]


def test_a_version_may_have_ten_characters_and_any_of_them(sandbox: Connection) -> None:
    odd = "a'b\"c;--d%"
    sandbox.execute("select set_cache_versions('us', economy_impact => %s)", (odd,))
    assert versions(sandbox)["us"][0] == odd
    simulation = add_simulation(sandbox, policy_id=2)
    add_reform_impact(sandbox, reform_policy_id=2, api_version=odd)
    assert rerun(sandbox, add_report(sandbox, simulation))["economy_cache_rows_deleted"] == 1


# --- mismatched_cache_versions ---------------------------------------------------------------


def mismatched(connection: Connection) -> list[tuple[Any, ...]]:
    rows = connection.execute("select * from mismatched_cache_versions()").fetchall()
    return [
        (row["country_id"], row["api_version"], row["current_version"], row["cache_rows"], row["newer_than_current"])
        for row in rows
    ]


@pytest.fixture
def report(sandbox: Connection) -> int:
    """A report whose cache key is that of add_reform_impact."""
    set_versions(sandbox)
    return add_economy_report(sandbox)[0]


def test_rows_of_the_current_version_are_not_mismatched(sandbox: Connection, report: int) -> None:
    add_reform_impact(sandbox)
    assert mismatched(sandbox) == []
    assert rerun(sandbox, report)["economy_cache_rows_deleted"] == 1


def test_rows_newer_than_those_of_the_current_version_tell_of_a_forgotten_deployment(
    sandbox: Connection, report: int
) -> None:
    current = VERSIONS["us"]["economy_impact"]
    add_reform_impact(sandbox, start_time="2026-04-01 00:01:00")
    add_reform_impact(sandbox, api_version="e-older", start_time="2026-03-01 00:00:00")
    add_reform_impact(sandbox, api_version="e-newer", start_time="2026-05-01 00:00:00", status="computing")
    add_reform_impact(sandbox, api_version="e-newer", start_time="2026-02-01 00:00:00", status="error")
    assert mismatched(sandbox) == [("us", "e-newer", current, 2, True), ("us", "e-older", current, 1, False)]
    newest = one(sandbox, "select newest_start_time::text from mismatched_cache_versions() where newer_than_current")
    assert newest["newest_start_time"] == "2026-05-01 00:00:00"
    # What it says is what a rerun leaves behind.
    assert rerun(sandbox, report)["economy_cache_rows_deleted"] == 1
    assert len(remaining(sandbox)) == 3


@pytest.mark.parametrize(("start_time", "is_newer"), [("9999-12-31", True), ("2026-04-01", False), (None, False)])
def test_without_rows_of_the_current_version_those_count_that_were_started_after_it_was_set(
    sandbox: Connection, report: int, start_time: str | None, is_newer: bool
) -> None:
    add_reform_impact(sandbox, api_version="e-other", start_time=start_time)
    assert mismatched(sandbox) == [("us", "e-other", VERSIONS["us"]["economy_impact"], 1, is_newer)]
    assert rerun(sandbox, report)["economy_cache_rows_deleted"] == 0


def test_rows_of_a_country_without_a_current_version_are_listed(sandbox: Connection, report: int) -> None:
    assert report
    sandbox.execute("update pgreprise.country set economy_impact_version = null")
    add_reform_impact(sandbox)
    assert mismatched(sandbox) == [("us", VERSIONS["us"]["economy_impact"], None, 1, True)]


def test_a_row_that_two_reports_share_is_counted_once(sandbox: Connection, report: int) -> None:
    assert report
    add_report(sandbox, 1, 2, api_version="r-old")
    add_reform_impact(sandbox, api_version="e-other")
    assert [row[3] for row in mismatched(sandbox)] == [1]


@pytest.mark.parametrize("part", [*KEY, *HASH])
def test_rows_whose_key_matches_no_report_are_not_listed(sandbox: Connection, report: int, part: str) -> None:
    assert report
    add_reform_impact(sandbox, api_version="e-other", **{part: 9 if isinstance(KEY.get(part), int) else "uk"})
    assert mismatched(sandbox) == []


def test_the_cache_of_reports_that_cannot_be_rerun_is_not_listed(sandbox: Connection) -> None:
    set_versions(sandbox)
    first = add_simulation(sandbox, policy_id=2)
    household = add_simulation(sandbox, policy_id=3, population_type="household")
    add_report(sandbox, first, 999)
    add_report(sandbox, first, household)
    add_report(sandbox, household)
    add_report(sandbox, first, year=" ")
    for policy, year in ((2, "2025"), (3, "2025"), (2, " ")):
        add_reform_impact(sandbox, api_version="e-other", reform_policy_id=policy, time_period=year)
    assert mismatched(sandbox) == []
    add_report(sandbox, first)
    assert [row[3] for row in mismatched(sandbox)] == [1]
