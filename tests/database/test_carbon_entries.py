"""Someone puts entries into a module, changes and deletes them; module and report follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.support.carbon import (
    DAY,
    EVERYWHERE,
    NOW,
    NOW_EPOCH,
    PRINCIPAL,
    STANDARD,
    acting,
    add_entry,
    add_report,
    add_unit,
    claims,
    module_id,
    refusal,
    role,
    set_status,
    snapshot,
)
from tests.support.databases import Connection
from tests.support.statements import one

LATER = "2026-05-06 15:00:00+00"
LATER_EPOCH = NOW_EPOCH + DAY + 3 * 3600

CREATE = "select * from create_data_entry(%s, 2025, %s, %s::bigint, %s, %s, as_of => %s)"
UPDATE = "select * from update_data_entry(%s, 2025, %s, %s::bigint, %s::bigint, %s, %s, as_of => %s)"
DELETE = "select delete_data_entry(%s, 2025, %s, %s::bigint, %s::bigint, as_of => %s)"
STATUS = "select * from set_carbon_module_status(%s, %s::bigint, %s::bigint, as_of => %s)"

TRAIN = {"emission_type_id": 50100, "scope": 3, "kg_co2eq": 12.5, "is_rollup": False}
PLANE = {"emission_type_id": 50200, "scope": 3, "kg_co2eq": 900, "is_rollup": False}
SUM = {"emission_type_id": 50000, "scope": None, "kg_co2eq": 912.5, "is_rollup": True}


@pytest.fixture
def unit(sandbox: Connection) -> int:
    """A unit with a Calculator report of 2025."""
    unit_id = add_unit(sandbox)
    add_report(sandbox, unit_id)
    return unit_id


def create(connection: Connection, unit: int, module: str, data: Any = None, emissions: Any = None) -> dict[str, Any]:
    return one(connection, CREATE, unit, module, 7, Jsonb(data or {}), Jsonb(emissions or []), LATER)


def module_of(connection: Connection, unit: int, module: str) -> dict[str, Any]:
    return one(
        connection, "select (found.stored).*, found.entries from get_carbon_module(%s, 2025, %s) as found", unit, module
    )


def report_of(connection: Connection, unit: int) -> dict[str, Any]:
    return one(connection, "select * from get_carbon_report_of_year(%s, 2025)", unit)


def module_updated(connection: Connection, module: int) -> int | None:
    return one(connection, "select last_updated from public.carbon_report_modules where id = %s", module)[
        "last_updated"
    ]


def test_an_entry_is_stored_with_its_emissions_and_read_back(sandbox: Connection, unit: int) -> None:
    emissions = [TRAIN, PLANE, SUM]
    entry = create(sandbox, unit, "professional-travel", {"who": "J\u00fcrg", "legs": [1, 2.5]}, emissions)
    assert entry == {
        "id": entry["id"],
        "carbon_report_module_id": module_of(sandbox, unit, "professional_travel")["id"],
        "data_entry_type_id": 7,
        "data": {"who": "J\u00fcrg", "legs": [1, 2.5]},
        "emissions": emissions,
    }
    assert module_of(sandbox, unit, "professional-travel")["entries"] == [entry]
    found = "select * from get_data_entries(%s, 2025, 'professional-travel', %s"
    assert sandbox.execute(f"{found})", (unit, 7)).fetchall() == [entry]
    assert sandbox.execute(f"{found})", (unit, 8)).fetchall() == []
    assert one(sandbox, f"{found}, item_id => %s::bigint)", unit, 7, entry["id"]) == entry


def test_an_entry_may_be_empty(sandbox: Connection, unit: int) -> None:
    entry = one(sandbox, "select * from create_data_entry(%s, 2025, 'purchase', 1)", unit)
    assert (entry["data"], entry["emissions"]) == ({}, [])


def test_each_write_brings_stats_and_last_updated_of_module_and_report_up_to_date(
    sandbox: Connection, unit: int
) -> None:
    entry = create(sandbox, unit, "headcount", {"fte": 2.5}, [{"emission_type_id": 1, "kg_co2eq": 250}])["id"]
    create(sandbox, unit, "professional-travel", {}, [TRAIN, PLANE, SUM])
    report, headcount = report_of(sandbox, unit), module_of(sandbox, unit, "headcount")
    assert headcount["stats"] == {"entries": 1, "tonnes_co2eq": 0.25, "fte": 2.5}
    assert module_of(sandbox, unit, "professional-travel")["stats"] == {"entries": 1, "tonnes_co2eq": 0.9125}
    assert report["stats"] == {"modules": {"1": 2.5, "2": 0.9125}, "total_tonnes_co2eq": 1.1625, "total_fte": 2.5}
    assert report["last_updated"] == module_updated(sandbox, headcount["id"]) == LATER_EPOCH

    sandbox.execute(UPDATE, (unit, "headcount", 7, entry, Jsonb({"fte": 4}), None, NOW))
    assert report_of(sandbox, unit)["stats"]["modules"] == {"1": 4, "2": 0.9125}
    assert report_of(sandbox, unit)["last_updated"] == module_updated(sandbox, headcount["id"]) == NOW_EPOCH

    sandbox.execute(DELETE, (unit, "headcount", 7, entry, LATER))
    report = report_of(sandbox, unit)
    assert report["stats"] == {"modules": {"2": 0.9125}, "total_tonnes_co2eq": 0.9125, "total_fte": 0}
    assert report["last_updated"] == LATER_EPOCH
    assert module_of(sandbox, unit, "headcount")["stats"] == {"entries": 0, "tonnes_co2eq": 0.0, "fte": 0}


def test_an_update_replaces_what_is_given_and_leaves_the_rest(sandbox: Connection, unit: int) -> None:
    entry = create(sandbox, unit, "purchase", {"a": 1, "b": 2}, [TRAIN])
    written = one(sandbox, UPDATE, unit, "purchase", 7, entry["id"], Jsonb({"a": 3}), None, NOW)
    assert written == {**entry, "data": {"a": 3}}
    written = one(sandbox, UPDATE, unit, "purchase", 7, entry["id"], None, Jsonb([PLANE, SUM]), NOW)
    assert written == {**entry, "data": {"a": 3}, "emissions": [PLANE, SUM]}
    written = one(sandbox, UPDATE, unit, "purchase", 7, entry["id"], None, Jsonb([]), NOW)
    assert written == {**entry, "data": {"a": 3}, "emissions": []}
    assert snapshot(sandbox)["data_entry_emissions"] == []


WRITES: list[Callable[[Connection, int, int], Any]] = [
    lambda sandbox, unit, _: create(sandbox, unit, "purchase"),
    lambda sandbox, unit, entry: sandbox.execute(UPDATE, (unit, "purchase", 1, entry, Jsonb({}), None, NOW)),
    lambda sandbox, unit, entry: sandbox.execute(DELETE, (unit, "purchase", 1, entry, NOW)),
]


@pytest.mark.parametrize("write", WRITES, ids=["create", "update", "delete"])
@pytest.mark.parametrize(("status", "after"), [(0, 0), (1, 1), (2, 1)])
def test_a_write_puts_a_validated_module_back_in_progress_and_no_other(
    sandbox: Connection, unit: int, status: int, after: int, write: Callable[[Connection, int, int], Any]
) -> None:
    report = report_of(sandbox, unit)["id"]
    entry = add_entry(sandbox, report, 5, 10)
    set_status(sandbox, report, 2, 1, 2, 3)
    set_status(sandbox, report, status, 5)
    write(sandbox, unit, entry)
    modules = sandbox.execute("select status from get_carbon_report_modules(%s::bigint)", (report,)).fetchall()
    assert [module["status"] for module in modules] == [2, 2, 2, 0, after, 0, 0, 0]
    written = report_of(sandbox, unit)
    assert (written["completion_progress"], written["overall_status"]) == ("3/8", 1)


# --- what no entry can have ------------------------------------------------------------------

BAD_EMISSIONS = [
    {},
    "x",
    [1],
    [None],
    [{}],
    [{"emission_type_id": 1}],
    [{"kg_co2eq": 1}],
    [{"emission_type_id": "1", "kg_co2eq": 1}],
    [{"emission_type_id": 1, "kg_co2eq": "1"}],
    [{"emission_type_id": 1, "kg_co2eq": None}],
    [{"emission_type_id": 1.5, "kg_co2eq": 1}],
    [{"emission_type_id": 2**31, "kg_co2eq": 1}],
    [{"emission_type_id": -1, "kg_co2eq": 1}],
    [{"emission_type_id": 1, "kg_co2eq": 1e16}],
    [{"emission_type_id": 1, "kg_co2eq": 1, "scope": "3"}],
    [{"emission_type_id": 1, "kg_co2eq": 1, "scope": 2.5}],
    [{"emission_type_id": 1, "kg_co2eq": 1, "is_rollup": 1}],
]
BAD_DATA: list[Any] = [[], "x", 1, True, {"fte": "2"}, {"fte": -1}, {"fte": True}, {"fte": [1]}, {"fte": 1e7}]


@pytest.mark.parametrize("statement", ["create", "update"])
@pytest.mark.parametrize(
    ("data", "emissions"),
    [*(({}, emissions) for emissions in BAD_EMISSIONS), *((data, []) for data in BAD_DATA)],
    ids=str,
)
def test_values_that_no_entry_can_have_are_refused(
    sandbox: Connection, unit: int, statement: str, data: Any, emissions: Any
) -> None:
    values = (Jsonb(data), Jsonb(emissions), NOW)
    if statement == "create":
        said = refusal(sandbox, CREATE, unit, "headcount", 1, *values)
    else:
        entry = add_entry(sandbox, report_of(sandbox, unit)["id"], 1)
        said = refusal(sandbox, UPDATE, unit, "headcount", 1, entry, *values)
    assert said.code == "RC008"


def test_an_update_of_nothing_is_refused(sandbox: Connection, unit: int) -> None:
    entry = add_entry(sandbox, report_of(sandbox, unit)["id"], 1)
    assert refusal(sandbox, UPDATE, unit, "headcount", 1, entry, None, None, NOW).code == "RC008"


@pytest.mark.parametrize("data_entry_type", [None, -1, 2**31])
def test_a_data_entry_type_is_a_number_of_32_bits(sandbox: Connection, unit: int, data_entry_type: int | None) -> None:
    said = refusal(sandbox, CREATE, unit, "purchase", data_entry_type, Jsonb({}), Jsonb([]), NOW)
    assert said.code == "RC008"


# --- what is not there -----------------------------------------------------------------------


@pytest.mark.parametrize("module", ["", "travel", "headcount ", "Headcount", "external-cloud-&-ai", None])
def test_an_unknown_module_is_refused(sandbox: Connection, unit: int, module: str | None) -> None:
    said = refusal(sandbox, "select get_carbon_module(%s, 2025, %s::text)", unit, module)
    assert said.code == "RC006"
    assert said.hint is not None
    assert said.hint.startswith("The modules are: headcount, professional_travel, ")


@pytest.mark.parametrize(
    ("name", "module_type_id"),
    [("headcount", 1), ("professional-travel", 2), ("research_facilities", 6), ("external-cloud_and-ai", 7)],
)
def test_module_names_take_hyphens_or_underscores(
    sandbox: Connection, unit: int, name: str, module_type_id: int
) -> None:
    assert module_of(sandbox, unit, name)["module_type_id"] == module_type_id


def test_a_report_or_module_that_is_not_there_is_not_found(sandbox: Connection, unit: int) -> None:
    said = refusal(sandbox, "select get_carbon_module(%s, 2024, 'headcount')", unit)
    assert (said.code, said.message) == (
        "RC003",
        f"Carbon report not found: carbon_project_type 0, unit_id {unit}, year 2024.",
    )
    assert refusal(sandbox, "select get_carbon_module(%s, 2025, 'headcount', 1)", unit).code == "RC003"
    sandbox.execute("delete from public.carbon_report_modules where module_type_id = 3")
    said = refusal(sandbox, CREATE, unit, "buildings", 1, Jsonb({}), Jsonb([]), NOW)
    assert (said.code, (said.message or "").split(":")[0]) == ("RC003", "Module not found")
    report = report_of(sandbox, unit)["id"]
    assert refusal(sandbox, STATUS, report, 3, 1, NOW).code == "RC003"
    assert refusal(sandbox, STATUS, report + 1, 1, 1, NOW).code == "RC003"


def test_an_entry_is_found_in_its_own_module_and_type_only(sandbox: Connection, unit: int) -> None:
    report = report_of(sandbox, unit)["id"]
    explore = add_report(sandbox, unit, 2025, "Simulator_Explore")
    entry = add_entry(sandbox, report, 5, 10, data_entry_type_id=7)
    elsewhere = add_entry(sandbox, explore, 5, 10, data_entry_type_id=7)
    for item, module, entry_type in ((entry, "buildings", 7), (entry, "purchase", 8), (elsewhere, "purchase", 7)):
        for statement, values in (
            ("select get_data_entries(%s, 2025, %s, %s::bigint, item_id => %s::bigint)", ()),
            (UPDATE, (Jsonb({}), None, NOW)),
            (DELETE, (NOW,)),
        ):
            assert refusal(sandbox, statement, unit, module, entry_type, item, *values).code == "RC003"


@pytest.mark.parametrize("number", [3, -1, None])
def test_an_invalid_type_is_refused(sandbox: Connection, unit: int, number: int | None) -> None:
    report = report_of(sandbox, unit)["id"]
    for statement, values in (
        ("select get_carbon_module(%s, 2025, 'headcount', %s::bigint)", (unit, number)),
        ("select get_carbon_project(%s, %s::bigint)", (unit, number)),
        ("select create_carbon_project(%s, %s::bigint)", (unit, number)),
        ("select create_carbon_report(%s, 2030, carbon_project_type => %s::bigint)", (unit, number)),
        ("select get_carbon_report_modules(%s, %s::bigint)", (report, number)),
        ("select set_carbon_module_status(%s, 1, 1, %s::bigint)", (report, number)),
    ):
        assert refusal(sandbox, statement, *values).code == "RC005"


# --- status ----------------------------------------------------------------------------------


def test_the_status_of_modules_decides_progress_and_overall_status(sandbox: Connection, unit: int) -> None:
    report = report_of(sandbox, unit)["id"]
    entry = add_entry(sandbox, report, 3, 2000)
    seen = []
    for module_type in range(1, 9):
        module = one(sandbox, STATUS, report, module_type, 2, LATER)
        assert (module["module_type_id"], module["status"]) == (module_type, 2)
        after = report_of(sandbox, unit)
        assert after["last_updated"] == module_updated(sandbox, module["id"]) == LATER_EPOCH
        seen.append((after["completion_progress"], after["overall_status"]))
    assert seen == [*((f"{done}/8", 1) for done in range(1, 8)), ("8/8", 2)]
    assert after["stats"]["total_tonnes_co2eq"] == 2
    for module_type in range(1, 9):
        one(sandbox, STATUS, report, module_type, module_type % 2, NOW)
    after = report_of(sandbox, unit)
    assert (after["completion_progress"], after["overall_status"], after["last_updated"]) == ("0/8", 0, NOW_EPOCH)
    assert snapshot(sandbox)["data_entries"][0]["entry"].startswith(f"({entry},")


@pytest.mark.parametrize(("module_type", "status"), [(1, 3), (1, -1), (1, None), (0, 1), (9, 1), (None, 1)])
def test_a_status_or_module_type_that_is_none_is_refused(
    sandbox: Connection, unit: int, module_type: int | None, status: int | None
) -> None:
    assert refusal(sandbox, STATUS, report_of(sandbox, unit)["id"], module_type, status, NOW).code == "RC006"


def test_only_the_principal_or_a_global_role_sets_a_status(sandbox: Connection, unit: int) -> None:
    report = report_of(sandbox, unit)["id"]
    with acting(sandbox, claims(role(STANDARD, "unit", "0184"), role(PRINCIPAL, "unit", "0999"))):
        said = refusal(sandbox, STATUS, report, 1, 2, NOW)
    assert (said.code, said.message) == ("RC002", f"Only the principal of unit #{unit} may do this.")
    for who in (claims(role(PRINCIPAL, "unit", "0184")), EVERYWHERE):
        with acting(sandbox, who):
            one(sandbox, STATUS, report, 1, 2, NOW)


# --- reports ---------------------------------------------------------------------------------


def test_a_units_reports_are_the_calculators_by_year(sandbox: Connection, unit: int) -> None:
    add_report(sandbox, unit, 2025, "Simulator_Explore")
    add_report(sandbox, unit, 2024, "Simulator_Plan")
    add_report(sandbox, add_unit(sandbox, "0207"), 2024)
    earlier = add_report(sandbox, unit, 2023)
    found = sandbox.execute("select * from get_carbon_reports(%s)", (unit,)).fetchall()
    assert [(report["id"], report["year"]) for report in found] == [
        (earlier, 2023),
        (report_of(sandbox, unit)["id"], 2025),
    ]


def test_a_report_of_every_type_can_be_created_and_got_by_its_id(sandbox: Connection) -> None:
    unit = add_unit(sandbox)
    for number in (0, 1, 2):
        made = one(
            sandbox,
            "select * from create_carbon_report(%s, 2025, reference_year => 2019, carbon_project_type => %s)",
            unit,
            number,
        )
        assert one(sandbox, "select * from get_carbon_report(%s::bigint)", made["id"]) == made
        assert one(sandbox, "select * from get_carbon_project(%s, %s)", unit, number)["id"] == made["carbon_project_id"]
        # Of an explore report the year is the reference year.
        assert made["reference_year"] == (None if number == 1 else 2019)
        said = refusal(sandbox, "select create_carbon_report(%s, 2025, carbon_project_type => %s)", unit, number)
        assert said.code == "RC004"


def test_a_report_may_name_its_project_which_must_be_the_units(sandbox: Connection, unit: int) -> None:
    plan = one(sandbox, "select id from create_carbon_project(%s, 2)", unit)["id"]
    create_in = "select * from create_carbon_report(%s, %s, carbon_project_id => %s::bigint)"
    assert one(sandbox, create_in, unit, 2030, plan)["carbon_project_id"] == plan
    other = add_unit(sandbox, "0207")
    for project in (plan, plan + 1000):
        said = refusal(sandbox, create_in, other, 2030, project)
        assert (said.code, said.message) == ("RC008", f"Unit #{other} has no carbon project #{project}.")


def test_a_module_keeps_its_entries_when_another_module_is_written(sandbox: Connection, unit: int) -> None:
    report = report_of(sandbox, unit)["id"]
    kept = add_entry(sandbox, report, 2, 10)
    sandbox.execute(DELETE, (unit, "headcount", 1, add_entry(sandbox, report, 1, 10), NOW))
    assert [entry["id"] for entry in module_of(sandbox, unit, "professional-travel")["entries"]] == [kept]
    assert module_of(sandbox, unit, "professional-travel")["id"] == module_id(sandbox, report, 2)
