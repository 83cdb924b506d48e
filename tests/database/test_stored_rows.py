"""The application reads, updates, resets, finds and creates simulations and reports."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.factories import (
    VERSIONS,
    add_report,
    add_simulation,
    changed_tables,
    everything,
    one,
    set_versions,
    snapshot,
)

Connection = psycopg.Connection[dict[str, Any]]

# A json text that a jsonb would not give back.
ODD_JSON = ' {"b" : 1,\n\t"a": [1.0, 1e2, 1E+2, -0],  "b":2, "\\u0061": "\\/é", "b": null } '


def stored_text(connection: Connection, table: str) -> list[str | None]:
    return [row["output"] for row in snapshot(connection)[table]]


# --- get -------------------------------------------------------------------------------------


def test_get_report_returns_the_stored_row(dba: Connection) -> None:
    report = add_report(dba, 7, 8, error_message="slow", output=ODD_JSON, api_version="r-old")
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
    }
    for call in ("get_report(%s)", "get_report(%s, 'us')"):
        row = one(dba, f"select got.*, got.output::text as output from {call} as got", report)  # noqa: S608
        assert row == expected


def test_get_simulation_returns_the_stored_row(dba: Connection) -> None:
    simulation = add_simulation(dba, country_id="uk", output=ODD_JSON, policy_id=-1)
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
    }
    for call in ("get_simulation(%s)", "get_simulation(%s, 'uk')"):
        row = one(dba, f"select got.*, got.output::text as output from {call} as got", simulation)  # noqa: S608
        assert row == expected


def test_getting_a_stale_row_neither_creates_a_current_one_nor_changes_it(dba: Connection) -> None:
    set_versions(dba)
    report = add_report(dba, add_simulation(dba, api_version="0.0.1"), api_version="r-old", status="pending")
    before = everything(dba)
    got = one(dba, "select id, api_version, status from get_report(%s, 'us')", report)
    assert got == {"id": report, "api_version": "r-old", "status": "pending"}
    assert one(dba, "select api_version from get_simulation(%s, 'us')", 1)["api_version"] == "0.0.1"
    assert everything(dba) == before


def test_everything_that_only_looks_works_in_a_read_only_transaction(dba: Connection) -> None:
    set_versions(dba)
    simulation = add_simulation(dba)
    report = add_report(dba, simulation)
    dba.execute("set default_transaction_read_only = on")
    assert one(dba, "select id from get_report(%s, 'us')", report)["id"] == report
    assert one(dba, "select id from get_simulation(%s, 'us')", simulation)["id"] == simulation
    assert dba.execute("select * from report_defects()").fetchall() == []
    assert dba.execute("select * from mismatched_cache_versions()").fetchall() == []
    assert len(dba.execute("select * from cache_versions()").fetchall()) == 5
    assert one(dba, "select pgreprise.status() ->> 'routines' is not null as known")["known"]


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
    dba: Connection, kind: str, values: dict[str, str]
) -> None:
    table = "report_outputs" if kind == "report" else "simulations"
    simulation = add_simulation(dba, error_message="before")
    add_simulation(dba)
    report = add_report(dba, simulation, error_message="before")
    add_report(dba, simulation)
    row_id = report if kind == "report" else simulation
    before = everything(dba)
    given = ", ".join(f"{name} => %s" for name in values)
    returned = one(
        dba,
        f"select got.*, got.output::text as output from update_{kind}(%s, 'us', {given}) as got",  # noqa: S608
        row_id,
        *values.values(),
    )
    after = everything(dba)
    for row in before[table]:
        if row["id"] == row_id:
            row.update(values)
            assert returned == row
    assert after == before


def test_updating_a_simulation_writes_the_package_version_where_it_is_known(dba: Connection) -> None:
    known, unknown = add_simulation(dba), add_simulation(dba, country_id="uk")
    set_versions(dba)
    for simulation in (known, unknown):
        dba.execute("select update_simulation(%s, status => 'running')", (simulation,))
    versions = [row["api_version"] for row in snapshot(dba)["simulations"]]
    assert versions == [VERSIONS["us"]["package"], "0.0.0"]


def test_updating_a_report_keeps_its_version(dba: Connection) -> None:
    set_versions(dba)
    report = add_report(dba, add_simulation(dba), api_version="r-old")
    dba.execute("select update_report(%s, 'us', status => 'running')", (report,))
    assert snapshot(dba)["report_outputs"][0]["api_version"] == "r-old"


def test_an_output_is_stored_byte_for_byte(dba: Connection) -> None:
    simulation = add_simulation(dba, output=None)
    report = add_report(dba, simulation, output=None)
    for call, row_id in (("update_report", report), ("update_simulation", simulation)):
        dba.execute(f"select {call}(%s, output => %s)", (row_id, ODD_JSON))
        # The next update, without an output, keeps it so.
        dba.execute(f"select {call}(%s, status => 'running')", (row_id,))
    assert stored_text(dba, "report_outputs") == [ODD_JSON]
    assert stored_text(dba, "simulations") == [ODD_JSON]


@pytest.mark.parametrize("call", ["update_report(1, output => 'NaN')", "update_simulation(1, output => '{')"])
def test_an_output_that_is_not_json_is_refused_by_its_type(dba: Connection, call: str) -> None:
    add_report(dba, add_simulation(dba))
    before = everything(dba)
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        dba.execute(f"select {call}")
    assert everything(dba) == before


# --- reset -----------------------------------------------------------------------------------


def test_reset_report_clears_one_report_and_leaves_its_simulations(dba: Connection) -> None:
    set_versions(dba)
    simulation = add_simulation(dba)
    report = add_report(dba, simulation, error_message="lost", api_version="r-old")
    add_report(dba, simulation)
    before = everything(dba)
    dba.execute("select reset_report(%s)", (report,))
    after = everything(dba)
    before["report_outputs"][0].update(status="pending", output=None, error_message=None, run_sequence=2)
    assert changed_tables(before, after) == {"rerun", "report_run"}


def test_reset_simulation_clears_one_simulation_and_leaves_its_reports(dba: Connection) -> None:
    set_versions(dba)
    simulation = add_simulation(dba, error_message="lost")
    add_simulation(dba)
    add_report(dba, simulation)
    before = everything(dba)
    dba.execute("select reset_simulation(%s)", (simulation,))
    after = everything(dba)
    before["simulations"][0].update(
        status="pending", output=None, error_message=None, api_version=VERSIONS["us"]["package"], run_sequence=2
    )
    assert changed_tables(before, after) == {"rerun", "simulation_run"}


def test_a_reset_simulation_keeps_its_version_where_the_package_version_is_unknown(dba: Connection) -> None:
    set_versions(dba, "uk")
    dba.execute("select reset_simulation(%s)", (add_simulation(dba),))
    assert snapshot(dba)["simulations"][0]["api_version"] == "0.0.0"


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


def test_a_simulation_is_created_pending_with_the_package_version(dba: Connection) -> None:
    set_versions(dba)
    created = simulation_for(dba, "us", "state/ny", "geography", 2)
    assert created == {
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
        "created": True,
    }
    assert simulation_for(dba, "us", "state/ny", "geography", 2) == {**created, "created": False}
    assert len(snapshot(dba)["simulations"]) == 1


def test_a_simulation_is_reused_whatever_its_version_and_status_and_without_any_current_version(
    dba: Connection,
) -> None:
    simulation = add_simulation(dba, status="error", api_version="0.0.1")
    found = simulation_for(dba, "us", "state/ny", "geography", 2)
    assert (found["id"], found["status"], found["api_version"], found["created"]) == (
        simulation,
        "error",
        "0.0.1",
        False,
    )


def test_the_newest_of_several_simulations_is_reused(dba: Connection) -> None:
    ids = [add_simulation(dba, api_version=version) for version in ("9", "1", "5")]
    assert simulation_for(dba, "us", "state/ny", "geography", 2)["id"] == max(ids)


@pytest.mark.parametrize(
    "key",
    [
        ("uk", "state/ny", "geography", 2),
        ("us", "state/nyc", "geography", 2),
        ("us", "state/ny", "household", 2),
        ("us", "state/ny", "geography", 3),
    ],
)
def test_a_simulation_that_differs_in_one_part_of_the_key_is_another(dba: Connection, key: tuple[Any, ...]) -> None:
    set_versions(dba)
    set_versions(dba, "uk")
    add_simulation(dba)
    created = simulation_for(dba, *key)
    assert created["created"] is True
    assert tuple(created[name] for name in ("country_id", "population_id", "population_type", "policy_id")) == key


@pytest.mark.parametrize("policy_id", [2**31 - 1, -(2**31), 0])
def test_a_simulation_takes_every_policy_that_its_column_holds(dba: Connection, policy_id: int) -> None:
    set_versions(dba)
    assert simulation_for(dba, "us", "x" * 255, "household", policy_id)["policy_id"] == policy_id


def test_a_simulation_that_was_deleted_is_created_anew(dba: Connection) -> None:
    set_versions(dba)
    first = simulation_for(dba, "us", "us", "geography", 2)
    dba.execute("delete from public.simulations")
    second = simulation_for(dba, "us", "us", "geography", 2)
    assert (second["created"], second["id"] > first["id"]) == (True, True)


@pytest.mark.parametrize("links", [1, 2])
def test_a_report_is_created_pending_with_the_report_version(dba: Connection, links: int) -> None:
    set_versions(dba)
    first = add_simulation(dba)
    second = add_simulation(dba, policy_id=3) if links == 2 else None
    created = report_for(dba, "us", first, second, "2031")
    assert created == {
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
        "created": True,
    }
    assert report_for(dba, "us", first, second, "2031") == {**created, "created": False}
    assert len(snapshot(dba)["report_outputs"]) == 1


@pytest.mark.parametrize("second", [None, 2])
def test_the_newest_of_several_reports_is_reused_whatever_its_status(dba: Connection, second: int | None) -> None:
    set_versions(dba)
    ids = [add_report(dba, 1, second, status=status) for status in ("complete", "pending", "error")]
    # Newer, but of another version.
    add_report(dba, 1, second, api_version="r-old")
    found = report_for(dba, "us", 1, second, "2025")
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
def test_a_report_that_differs_in_one_part_of_the_key_is_another(dba: Connection, difference: dict[str, Any]) -> None:
    set_versions(dba)
    first, second = add_simulation(dba), add_simulation(dba)
    existing = add_report(dba, **{"simulation_1_id": first, "simulation_2_id": second, **difference})
    created = report_for(dba, "us", first, second, "2025")
    assert (created["created"], created["id"] != existing) == (True, True)


def test_a_report_of_one_simulation_does_not_reuse_that_of_two(dba: Connection) -> None:
    set_versions(dba)
    first, second = add_simulation(dba), add_simulation(dba)
    add_report(dba, first, second)
    assert report_for(dba, "us", first, None, "2025")["created"] is True


def test_simulations_in_the_other_order_are_another_report(dba: Connection) -> None:
    set_versions(dba)
    first, second = add_simulation(dba), add_simulation(dba)
    ids = {report_for(dba, "us", *order, "2025")["id"] for order in ((first, second), (second, first))}
    assert len(ids) == 2


def test_the_year_of_a_report_defaults_to_the_current_calendar_year(dba: Connection) -> None:
    set_versions(dba)
    simulation = add_simulation(dba)
    # In one transaction, where now() stands still; a session far from UTC changes nothing.
    for zone in ("Pacific/Kiritimati", "Pacific/Midway"):
        with dba.transaction():
            dba.execute("select set_config('timezone', %s, true)", (zone,))
            found = one(
                dba,
                "select (found.stored).year, to_char(now() at time zone 'utc', 'YYYY') as this_year "
                "from get_or_create_report('us', %s) as found",
                simulation,
            )
            assert found["year"] == found["this_year"]


def test_a_report_can_be_created_before_the_economy_version_is_known(dba: Connection) -> None:
    dba.execute("select set_cache_versions('us', report_output => 'r1')")
    created = report_for(dba, "us", add_simulation(dba), None, "2025")
    assert (created["created"], created["api_version"]) == (True, "r1")


def test_an_existing_report_is_returned_even_when_its_simulation_is_gone(dba: Connection) -> None:
    set_versions(dba)
    report = add_report(dba, 999)
    assert report_for(dba, "us", 999, None, "2025")["id"] == report


def test_a_new_report_version_makes_new_reports_and_the_old_one_finds_the_old(dba: Connection) -> None:
    set_versions(dba)
    simulation = add_simulation(dba)
    old = report_for(dba, "us", simulation, None, "2025")
    dba.execute("select set_cache_versions('us', report_output => 'r2')")
    new = report_for(dba, "us", simulation, None, "2025")
    assert (new["created"], new["api_version"]) == (True, "r2")
    set_versions(dba)
    assert report_for(dba, "us", simulation, None, "2025") == {**old, "created": False}
