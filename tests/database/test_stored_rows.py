"""The application reads, updates, resets, finds and creates simulations and reports."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.databases import Connection
from tests.support.factories import (
    ODD_JSON,
    REPORT_OF_HOST,
    SIMULATION_OF_HOST,
    VERSIONS,
    add_report,
    add_simulation,
    set_versions,
    without_times,
)
from tests.support.snapshots import changed_tables, everything, snapshot
from tests.support.statements import one


def stored_text(connection: Connection, table: str) -> list[str | None]:
    return [row["output"] for row in snapshot(connection)[table]]


# --- get -------------------------------------------------------------------------------------


def test_get_report_returns_the_stored_row(sandbox: Connection) -> None:
    report = add_report(sandbox, 7, 8, error_message="slow", output=ODD_JSON, api_version="r-old")
    expected = {
        "id": report,
        "country_id": "us",
        "simulation_1_id": 7,
        "simulation_2_id": 8,
        "api_version": "r-old",
        "status": "complete",
        "output": ODD_JSON,
        "error_message": "slow",
        "year": "2025",
        "run_sequence": 1,
        **REPORT_OF_HOST,
    }
    for call in ("get_report(%s)", "get_report(%s, 'us')"):
        row = one(sandbox, f"select got.*, got.output::text as output from {call} as got", report)  # noqa: S608
        assert without_times(row) == expected


def test_get_simulation_returns_the_stored_row(sandbox: Connection) -> None:
    simulation = add_simulation(sandbox, country_id="uk", output=ODD_JSON, policy_id=-1)
    expected = {
        "id": simulation,
        "country_id": "uk",
        "api_version": "0.0.0",
        "population_id": "state/ny",
        "population_type": "geography",
        "policy_id": -1,
        "status": "complete",
        "output": ODD_JSON,
        "error_message": None,
        "run_sequence": 1,
        **SIMULATION_OF_HOST,
    }
    for call in ("get_simulation(%s)", "get_simulation(%s, 'uk')"):
        row = one(sandbox, f"select got.*, got.output::text as output from {call} as got", simulation)  # noqa: S608
        assert without_times(row) == expected


def test_getting_a_stale_row_neither_creates_a_current_one_nor_changes_it(dba: Connection) -> None:
    set_versions(dba)
    report = add_report(dba, add_simulation(dba, api_version="0.0.1"), api_version="r-old", status="pending")
    before = everything(dba)
    got = one(dba, "select id, api_version, status from get_report(%s, 'us')", report)
    assert got == {"id": report, "api_version": "r-old", "status": "pending"}
    assert one(dba, "select api_version from get_simulation(%s, 'us')", 1)["api_version"] == "0.0.1"
    assert everything(dba) == before


def test_everything_that_only_looks_works_in_a_read_only_transaction(sandbox: Connection) -> None:
    set_versions(sandbox)
    simulation = add_simulation(sandbox)
    report = add_report(sandbox, simulation)
    sandbox.execute("set default_transaction_read_only = on")
    assert one(sandbox, "select id from get_report(%s, 'us')", report)["id"] == report
    assert one(sandbox, "select id from get_simulation(%s, 'us')", simulation)["id"] == simulation
    assert sandbox.execute("select * from report_defects()").fetchall() == []
    assert sandbox.execute("select * from mismatched_cache_versions()").fetchall() == []
    assert len(sandbox.execute("select * from cache_versions()").fetchall()) == 5
    assert one(sandbox, "select pgreprise.status() ->> 'routines' is not null as known")["known"]


# --- update ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["report", "simulation"])
@pytest.mark.parametrize(
    "values",
    [
        {"status": "running"},
        {"error_message": "worker lost"},
        {"error_message": ""},
        {"output": '{"a": 1}'},
        {"output": "null"},
        {"status": "complete", "output": "[]"},
        {"status": "error", "error_message": "no"},
        {"status": "pending", "output": "1", "error_message": "x"},
    ],
    ids=str,
)
def test_an_update_writes_the_values_that_are_not_null_and_only_those(
    sandbox: Connection, kind: str, values: dict[str, str]
) -> None:
    table = "report_outputs" if kind == "report" else "simulations"
    simulation = add_simulation(sandbox, error_message="before", status="running")
    add_simulation(sandbox)
    report = add_report(sandbox, simulation, error_message="before", status="running")
    add_report(sandbox, simulation)
    row_id = report if kind == "report" else simulation
    before = everything(sandbox)
    given = ", ".join(f"{name} => %s" for name in values)
    returned = one(
        sandbox,
        f"select got.*, got.output::text as output from update_{kind}(%s, 'us', {given}) as got",  # noqa: S608
        row_id,
        *values.values(),
    )
    # When the run was started and finished, see test_run_times.
    after = {**everything(sandbox), "run_time": []}
    for row in before[table]:
        if row["id"] == row_id:
            row.update({"error_message": None} if values.get("status") == "complete" else {}, **values)
            assert without_times(returned) == {**(REPORT_OF_HOST if kind == "report" else {}), **row}
    assert after == before


def test_updating_a_simulation_writes_the_package_version_where_it_is_known(sandbox: Connection) -> None:
    known, unknown = (add_simulation(sandbox, country_id=country, status="pending") for country in ("us", "uk"))
    set_versions(sandbox)
    for simulation in (known, unknown):
        sandbox.execute("select update_simulation(%s, status => 'running')", (simulation,))
    versions = [row["api_version"] for row in snapshot(sandbox)["simulations"]]
    assert versions == [VERSIONS["us"]["package"], "0.0.0"]


def test_updating_a_report_keeps_its_version(sandbox: Connection) -> None:
    set_versions(sandbox)
    report = add_report(sandbox, add_simulation(sandbox), api_version="r-old", status="pending")
    sandbox.execute("select update_report(%s, 'us', status => 'running')", (report,))
    assert snapshot(sandbox)["report_outputs"][0]["api_version"] == "r-old"


def test_an_output_is_stored_byte_for_byte(sandbox: Connection) -> None:
    simulation = add_simulation(sandbox, output=None, status="pending")
    report = add_report(sandbox, simulation, output=None, status="pending")
    for call, row_id in (("update_report", report), ("update_simulation", simulation)):
        sandbox.execute(f"select {call}(%s, output => %s)", (row_id, ODD_JSON))
        # The next update, without an output, keeps it so.
        sandbox.execute(f"select {call}(%s, status => 'running')", (row_id,))
    assert stored_text(sandbox, "report_outputs") == [ODD_JSON]
    assert stored_text(sandbox, "simulations") == [ODD_JSON]


@pytest.mark.parametrize("call", ["update_report(1, output => 'NaN')", "update_simulation(1, output => '{')"])
def test_an_output_that_is_not_json_is_refused_by_its_type(dba: Connection, call: str) -> None:
    add_report(dba, add_simulation(dba))
    before = everything(dba)
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        dba.execute(f"select {call}")
    assert everything(dba) == before


# --- reset -----------------------------------------------------------------------------------


def test_reset_report_clears_one_report_and_leaves_its_simulations(sandbox: Connection) -> None:
    set_versions(sandbox)
    simulation = add_simulation(sandbox)
    report = add_report(sandbox, simulation, error_message="lost", api_version="r-old")
    add_report(sandbox, simulation)
    before = everything(sandbox)
    sandbox.execute("select reset_report(%s)", (report,))
    after = everything(sandbox)
    before["report_outputs"][0].update(status="pending", output=None, error_message=None, run_sequence=2)
    assert changed_tables(before, after) == {"rerun", "report_run"}


def test_reset_simulation_clears_one_simulation_and_leaves_its_reports(sandbox: Connection) -> None:
    set_versions(sandbox)
    simulation = add_simulation(sandbox, error_message="lost")
    add_simulation(sandbox)
    add_report(sandbox, simulation)
    before = everything(sandbox)
    sandbox.execute("select reset_simulation(%s)", (simulation,))
    after = everything(sandbox)
    before["simulations"][0].update(
        status="pending", output=None, error_message=None, api_version=VERSIONS["us"]["package"], run_sequence=2
    )
    assert changed_tables(before, after) == {"rerun", "simulation_run"}


def test_a_reset_simulation_keeps_its_version_where_the_package_version_is_unknown(sandbox: Connection) -> None:
    set_versions(sandbox, "uk")
    sandbox.execute("select reset_simulation(%s)", (add_simulation(sandbox),))
    assert snapshot(sandbox)["simulations"][0]["api_version"] == "0.0.0"


# --- get or create ---------------------------------------------------------------------------


def simulation_for(connection: Connection, *key: Any) -> dict[str, Any]:
    return one(
        connection,
        "select (found.stored).*, found.created from get_or_create_simulation(%s, %s, %s, %s::bigint) as found",
        *key,
    )


def report_for(connection: Connection, country_id: str, first: int, second: int | None, year: str) -> dict[str, Any]:
    return one(
        connection,
        "select (found.stored).*, found.created "
        "from get_or_create_report(%s, %s::bigint, %s::bigint, year => %s) as found",
        country_id,
        first,
        second,
        year,
    )


def test_a_simulation_is_created_pending_with_the_package_version(sandbox: Connection) -> None:
    set_versions(sandbox)
    created = simulation_for(sandbox, "us", "state/ny", "geography", 2)
    assert without_times(created) == {
        "id": created["id"],
        "country_id": "us",
        "api_version": VERSIONS["us"]["package"],
        "population_id": "state/ny",
        "population_type": "geography",
        "policy_id": 2,
        "status": "pending",
        "output": None,
        "error_message": None,
        "run_sequence": 1,
        **SIMULATION_OF_HOST,
        "created": True,
    }
    assert simulation_for(sandbox, "us", "state/ny", "geography", 2) == {**created, "created": False}
    assert len(snapshot(sandbox)["simulations"]) == 1


def test_a_simulation_is_reused_whatever_its_version_and_status_and_without_any_current_version(
    sandbox: Connection,
) -> None:
    simulation = add_simulation(sandbox, status="error", api_version="0.0.1")
    found = simulation_for(sandbox, "us", "state/ny", "geography", 2)
    assert (found["id"], found["status"], found["api_version"], found["created"]) == (
        simulation,
        "error",
        "0.0.1",
        False,
    )


def test_the_newest_of_several_simulations_is_reused(sandbox: Connection) -> None:
    ids = [add_simulation(sandbox, api_version=version) for version in ("9", "1", "5")]
    assert simulation_for(sandbox, "us", "state/ny", "geography", 2)["id"] == max(ids)


@pytest.mark.parametrize(
    "key",
    [
        ("uk", "state/ny", "geography", 2),
        ("us", "state/nyc", "geography", 2),
        ("us", "state/ny", "household", 2),
        ("us", "state/ny", "geography", 3),
    ],
)
def test_a_simulation_that_differs_in_one_part_of_the_key_is_another(sandbox: Connection, key: tuple[Any, ...]) -> None:
    set_versions(sandbox)
    set_versions(sandbox, "uk")
    add_simulation(sandbox)
    created = simulation_for(sandbox, *key)
    assert created["created"] is True
    assert tuple(created[name] for name in ("country_id", "population_id", "population_type", "policy_id")) == key


@pytest.mark.parametrize("policy_id", [2**31 - 1, -(2**31), 0])
def test_a_simulation_takes_every_policy_that_its_column_holds(sandbox: Connection, policy_id: int) -> None:
    set_versions(sandbox)
    assert simulation_for(sandbox, "us", "x" * 255, "household", policy_id)["policy_id"] == policy_id


def test_a_simulation_that_was_deleted_is_created_anew(sandbox: Connection) -> None:
    set_versions(sandbox)
    first = simulation_for(sandbox, "us", "us", "geography", 2)
    sandbox.execute("delete from public.simulations")
    second = simulation_for(sandbox, "us", "us", "geography", 2)
    assert (second["created"], second["id"] > first["id"]) == (True, True)


@pytest.mark.parametrize("links", [1, 2])
def test_a_report_is_created_pending_with_the_report_version(sandbox: Connection, links: int) -> None:
    set_versions(sandbox)
    first = add_simulation(sandbox)
    second = add_simulation(sandbox, policy_id=3) if links == 2 else None
    created = report_for(sandbox, "us", first, second, "2031")
    assert without_times(created) == {
        "id": created["id"],
        "country_id": "us",
        "simulation_1_id": first,
        "simulation_2_id": second,
        "api_version": VERSIONS["us"]["report_output"],
        "status": "pending",
        "output": None,
        "error_message": None,
        "year": "2031",
        "run_sequence": 1,
        **REPORT_OF_HOST,
        "created": True,
    }
    assert report_for(sandbox, "us", first, second, "2031") == {**created, "created": False}
    assert len(snapshot(sandbox)["report_outputs"]) == 1


@pytest.mark.parametrize("second", [None, 2])
def test_the_newest_of_several_reports_is_reused_whatever_its_status(sandbox: Connection, second: int | None) -> None:
    set_versions(sandbox)
    ids = [add_report(sandbox, 1, second, status=status) for status in ("complete", "pending", "error")]
    # Newer, but of another version.
    add_report(sandbox, 1, second, api_version="r-old")
    found = report_for(sandbox, "us", 1, second, "2025")
    assert (found["id"], found["status"], found["created"]) == (max(ids), "error", False)


@pytest.mark.parametrize(
    "difference",
    [
        {"year": "2026"},
        {"year": None},
        {"api_version": "r-old"},
        {"country_id": "uk"},
        {"simulation_1_id": 99},
        {"simulation_2_id": 99},
        {"simulation_2_id": None},
    ],
    ids=str,
)
def test_a_report_that_differs_in_one_part_of_the_key_is_another(
    sandbox: Connection, difference: dict[str, Any]
) -> None:
    set_versions(sandbox)
    first, second = add_simulation(sandbox), add_simulation(sandbox)
    existing = add_report(sandbox, **{"simulation_1_id": first, "simulation_2_id": second, **difference})
    created = report_for(sandbox, "us", first, second, "2025")
    assert (created["created"], created["id"] != existing) == (True, True)


def test_a_report_of_one_simulation_does_not_reuse_that_of_two(sandbox: Connection) -> None:
    set_versions(sandbox)
    first, second = add_simulation(sandbox), add_simulation(sandbox)
    add_report(sandbox, first, second)
    assert report_for(sandbox, "us", first, None, "2025")["created"] is True


def test_simulations_in_the_other_order_are_another_report(sandbox: Connection) -> None:
    set_versions(sandbox)
    first, second = add_simulation(sandbox), add_simulation(sandbox)
    ids = {report_for(sandbox, "us", *order, "2025")["id"] for order in ((first, second), (second, first))}
    assert len(ids) == 2


def test_the_year_of_a_report_defaults_to_the_current_calendar_year(sandbox: Connection) -> None:
    set_versions(sandbox)
    simulation = add_simulation(sandbox)
    # In one transaction, where now() stands still; a session far from UTC changes nothing.
    for zone in ("Pacific/Kiritimati", "Pacific/Midway"):
        with sandbox.transaction():
            sandbox.execute("select set_config('timezone', %s, true)", (zone,))
            found = one(
                sandbox,
                "select (found.stored).year, to_char(now() at time zone 'utc', 'YYYY') as this_year "
                "from get_or_create_report('us', %s) as found",
                simulation,
            )
            assert found["year"] == found["this_year"]


def test_a_report_can_be_created_before_the_economy_version_is_known(sandbox: Connection) -> None:
    sandbox.execute("select set_cache_versions('us', report_output => 'r1')")
    created = report_for(sandbox, "us", add_simulation(sandbox), None, "2025")
    assert (created["created"], created["api_version"]) == (True, "r1")


def test_an_existing_report_is_returned_even_when_its_simulation_is_gone(sandbox: Connection) -> None:
    set_versions(sandbox)
    report = add_report(sandbox, 999)
    assert report_for(sandbox, "us", 999, None, "2025")["id"] == report


def test_a_new_report_version_makes_new_reports_and_the_old_one_finds_the_old(sandbox: Connection) -> None:
    set_versions(sandbox)
    simulation = add_simulation(sandbox)
    old = report_for(sandbox, "us", simulation, None, "2025")
    sandbox.execute("select set_cache_versions('us', report_output => 'r2')")
    new = report_for(sandbox, "us", simulation, None, "2025")
    assert (new["created"], new["api_version"]) == (True, "r2")
    set_versions(sandbox)
    assert report_for(sandbox, "us", simulation, None, "2025") == {**old, "created": False}
