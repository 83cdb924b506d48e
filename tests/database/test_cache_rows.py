"""A DBA deletes economy cache rows, says which versions are current, and looks for forgotten ones."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.factories import (
    VERSIONS,
    add_reform_impact,
    add_report,
    add_simulation,
    one,
    rerun,
    set_versions,
    snapshot,
)

Connection = psycopg.Connection[dict[str, Any]]

KEY: dict[str, Any] = {
    "country_id": "us",
    "baseline_policy_id": 2,
    "reform_policy_id": 3,
    "region": "state/ny",
    "dataset": "default",
    "time_period": "2025",
    "options_hash": "[]",
}


def delete(connection: Connection, **arguments: Any) -> int:
    given = ", ".join(f"{name} => %s{'::text[]' if name == 'statuses' else ''}" for name in arguments)
    deleted: int = one(connection, f"select delete_reform_impacts({given}) as deleted", *arguments.values())["deleted"]
    return deleted


def remaining(connection: Connection) -> set[int]:
    return {row["reform_impact_id"] for row in snapshot(connection)["reform_impact"]}


# --- delete_reform_impacts -------------------------------------------------------------------


def test_null_version_and_null_statuses_mean_every_row_of_the_key(dba: Connection) -> None:
    for status in ("ok", "error", "computing", "odd"):
        for version in ("e1", "e2"):
            add_reform_impact(dba, status=status, api_version=version)
    assert delete(dba, **KEY) == 8
    assert remaining(dba) == set()
    assert delete(dba, **KEY) == 0


def test_computing_alone_is_what_the_legacy_helper_deleted(dba: Connection) -> None:
    kept = {add_reform_impact(dba, status=status, api_version="e1") for status in ("ok", "error")}
    for version in ("e1", "e2"):
        add_reform_impact(dba, status="computing", api_version=version)
    assert delete(dba, **KEY, statuses=["computing"]) == 2
    assert remaining(dba) == kept


def test_version_and_statuses_narrow_the_delete_together(dba: Connection) -> None:
    wanted = {add_reform_impact(dba, status=status, api_version="e1") for status in ("ok", "error")}
    kept = {
        add_reform_impact(dba, status="computing", api_version="e1"),
        add_reform_impact(dba, status="ok", api_version="e2"),
    }
    assert delete(dba, **KEY, api_version="e1", statuses=["ok", "error"]) == len(wanted)
    assert remaining(dba) == kept


@pytest.mark.parametrize("statuses", [[], [None], ["OK"]])
def test_statuses_that_no_row_has_delete_nothing(dba: Connection, statuses: list[str | None]) -> None:
    kept = {add_reform_impact(dba, status="ok")}
    assert delete(dba, **KEY, statuses=statuses) == 0
    assert remaining(dba) == kept


@pytest.mark.parametrize("part", KEY)
def test_a_row_that_differs_in_one_part_of_the_key_stays_in_both_forms(dba: Connection, part: str) -> None:
    kept = {add_reform_impact(dba, status="computing", **{part: 9 if isinstance(KEY[part], int) else "uk"})}
    if part == "options_hash":
        kept.add(add_reform_impact(dba, status="computing", options_hash=None))
    add_reform_impact(dba, status="computing")
    add_reform_impact(dba, status="ok")
    assert delete(dba, **KEY, statuses=["computing"]) == 1
    assert delete(dba, **KEY) == 1
    assert remaining(dba) == kept


@pytest.mark.parametrize("part", KEY)
def test_a_null_in_the_key_deletes_nothing(dba: Connection, part: str) -> None:
    kept = {add_reform_impact(dba), add_reform_impact(dba, options_hash=None)}
    assert delete(dba, **{**KEY, part: None}) == 0
    assert remaining(dba) == kept


@pytest.mark.parametrize("policy", [2**63 - 1, -(2**63)])
def test_policies_beyond_the_column_match_nothing(dba: Connection, policy: int) -> None:
    kept = {add_reform_impact(dba)}
    assert delete(dba, **{**KEY, "baseline_policy_id": policy}) == 0
    assert remaining(dba) == kept


def test_a_rolled_back_delete_deleted_nothing(dba: Connection) -> None:
    kept = {add_reform_impact(dba)}
    with dba.transaction(force_rollback=True):
        assert delete(dba, **KEY) == 1
    assert remaining(dba) == kept


# --- versions --------------------------------------------------------------------------------


def versions(connection: Connection) -> dict[str, tuple[Any, ...]]:
    rows = connection.execute("select * from cache_versions()").fetchall()
    return {row["country_id"]: (row["economy_impact"], row["report_output"], row["package"]) for row in rows}


def test_a_fresh_database_knows_five_countries_and_none_of_their_versions(dba: Connection) -> None:
    assert versions(dba) == dict.fromkeys(("ca", "il", "ng", "uk", "us"), (None, None, None))
    assert list(versions(dba)) == ["ca", "il", "ng", "uk", "us"]


def test_versions_are_set_for_one_country(dba: Connection) -> None:
    before = versions(dba)
    set_versions(dba, "us")
    us = VERSIONS["us"]
    assert versions(dba) == {**before, "us": (us["economy_impact"], us["report_output"], us["package"])}


@pytest.mark.parametrize(("position", "argument"), list(enumerate(("economy_impact", "report_output", "package"))))
def test_null_leaves_a_version_as_it_is(dba: Connection, position: int, argument: str) -> None:
    dba.execute("select set_cache_versions('us', 'e1', 'r1', 'p1')")
    dba.execute(f"select set_cache_versions('us', {argument} => 'new')")
    expected = ["e1", "r1", "p1"]
    expected[position] = "new"
    assert versions(dba)["us"] == tuple(expected)
    dba.execute("select set_cache_versions('us')")
    assert versions(dba)["us"] == tuple(expected)


def test_a_change_of_versions_is_dated(dba: Connection) -> None:
    with dba.transaction():
        set_versions(dba, "us")
        row = one(dba, "select updated_at = now() as dated from cache_versions() where country_id = 'us'")
    assert row["dated"]


def test_a_version_may_have_ten_characters_and_any_of_them(dba: Connection) -> None:
    odd = "a'b\"c;--d%"
    dba.execute("select set_cache_versions('us', economy_impact => %s)", (odd,))
    assert versions(dba)["us"][0] == odd
    simulation = add_simulation(dba, policy_id=2)
    add_reform_impact(dba, reform_policy_id=2, api_version=odd)
    assert rerun(dba, add_report(dba, simulation))["economy_cache_rows_deleted"] == 1


# --- mismatched_cache_versions ---------------------------------------------------------------


def mismatched(connection: Connection) -> list[tuple[Any, ...]]:
    rows = connection.execute("select * from mismatched_cache_versions()").fetchall()
    return [
        (row["country_id"], row["api_version"], row["current_version"], row["cache_rows"], row["newer_than_current"])
        for row in rows
    ]


@pytest.fixture
def report(dba: Connection) -> int:
    """A report whose cache key is that of add_reform_impact."""
    set_versions(dba)
    return add_report(dba, add_simulation(dba, policy_id=2), add_simulation(dba, policy_id=3))


def test_rows_of_the_current_version_are_not_mismatched(dba: Connection, report: int) -> None:
    add_reform_impact(dba)
    assert mismatched(dba) == []
    assert rerun(dba, report)["economy_cache_rows_deleted"] == 1


def test_rows_newer_than_those_of_the_current_version_tell_of_a_forgotten_deployment(
    dba: Connection, report: int
) -> None:
    current = VERSIONS["us"]["economy_impact"]
    add_reform_impact(dba, start_time="2026-04-01 00:01:00")
    add_reform_impact(dba, api_version="e-older", start_time="2026-03-01 00:00:00")
    add_reform_impact(dba, api_version="e-newer", start_time="2026-05-01 00:00:00", status="computing")
    add_reform_impact(dba, api_version="e-newer", start_time="2026-02-01 00:00:00", status="error")
    assert mismatched(dba) == [("us", "e-newer", current, 2, True), ("us", "e-older", current, 1, False)]
    newest = one(dba, "select newest_start_time::text from mismatched_cache_versions() where newer_than_current")
    assert newest["newest_start_time"] == "2026-05-01 00:00:00"
    # What it says is what a rerun leaves behind.
    assert rerun(dba, report)["economy_cache_rows_deleted"] == 1
    assert len(remaining(dba)) == 3


def test_rows_without_any_of_the_current_version_count_as_newer(dba: Connection, report: int) -> None:
    add_reform_impact(dba, api_version="e-other", start_time=None)
    assert mismatched(dba) == [("us", "e-other", VERSIONS["us"]["economy_impact"], 1, True)]
    assert rerun(dba, report)["economy_cache_rows_deleted"] == 0


def test_rows_of_a_country_without_a_current_version_are_listed(dba: Connection, report: int) -> None:
    assert report
    dba.execute("update pgreprise.country set economy_impact_version = null")
    add_reform_impact(dba)
    assert mismatched(dba) == [("us", VERSIONS["us"]["economy_impact"], None, 1, True)]


def test_a_row_that_two_reports_share_is_counted_once(dba: Connection, report: int) -> None:
    assert report
    add_report(dba, 1, 2, api_version="r-old")
    add_reform_impact(dba, api_version="e-other")
    assert [row[3] for row in mismatched(dba)] == [1]


@pytest.mark.parametrize("part", KEY)
def test_rows_whose_key_matches_no_report_are_not_listed(dba: Connection, report: int, part: str) -> None:
    assert report
    add_reform_impact(dba, api_version="e-other", **{part: 9 if isinstance(KEY[part], int) else "uk"})
    assert mismatched(dba) == []


def test_the_cache_of_reports_that_cannot_be_rerun_is_not_listed(dba: Connection) -> None:
    set_versions(dba)
    first = add_simulation(dba, policy_id=2)
    household = add_simulation(dba, policy_id=3, population_type="household")
    add_report(dba, first, 999)
    add_report(dba, first, household)
    add_report(dba, household)
    add_report(dba, first, year=" ")
    for policy, year in ((2, "2025"), (3, "2025"), (2, " ")):
        add_reform_impact(dba, api_version="e-other", reform_policy_id=policy, time_period=year)
    assert mismatched(dba) == []
    add_report(dba, first)
    assert [row[3] for row in mismatched(dba)] == [1]
