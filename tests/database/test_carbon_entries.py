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

CREATE = "select * from create_data_entry(%s, 2025, %s, %s, %s, %s, as_of => %s)"
UPDATE = "select * from update_data_entry(%s, 2025, %s, %s, %s::bigint, %s, %s, as_of => %s)"
DELETE = "select delete_data_entry(%s, 2025, %s, %s, %s::bigint, as_of => %s)"
GET = "select * from get_data_entry(%s, 2025, %s, %s, %s::bigint)"
STATUS = "select * from set_carbon_module_status(%s, %s::bigint, %s::bigint, as_of => %s)"

MEMBER = {"name": "J\u00fcrg", "sius_code": "51", "fte": 0.5, "user_institutional_id": "1001", "note": None}
TRIP = {
    "user_institutional_id": "1001",
    "origin_iata": "GVA",
    "destination_iata": "BOS",
    "cabin_class": "economy",
    "departure_date": "2025-03-04",
    "number_of_trips": 2,
    "note": "a conference",
}
SERVICE = {"name": "Cleaning", "total_spent_amount": 750.25, "purchase_institutional_code": "S100", "currency": "chf"}
PLANE = {"emission_type_id": 50203, "kg_co2eq": 900, "additional_value": 9000}
FOOD = [{"emission_type_id": 10001, "kg_co2eq": 20}, {"emission_type_id": 30004, "kg_co2eq": 30.5}]


@pytest.fixture
def unit(sandbox: Connection) -> int:
    """A unit with a Calculator report of 2025."""
    unit_id = add_unit(sandbox)
    add_report(sandbox, unit_id)
    return unit_id


def create(
    connection: Connection, unit: int, module: str, entry_type: str, data: Any, emissions: Any = None
) -> dict[str, Any]:
    return one(
        connection,
        CREATE,
        unit,
        module,
        entry_type,
        Jsonb(data),
        None if emissions is None else Jsonb(emissions),
        LATER,
    )


def update(
    connection: Connection, unit: int, module: str, entry_type: str, entry: int, data: Any = None, emissions: Any = None
) -> dict[str, Any]:
    return one(
        connection,
        UPDATE,
        unit,
        module,
        entry_type,
        entry,
        None if data is None else Jsonb(data),
        None if emissions is None else Jsonb(emissions),
        NOW,
    )


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


def emitted(connection: Connection, entry: int) -> list[tuple[int, float]]:
    """The emissions of an entry: type and kilograms."""
    return [
        (row["emission_type_id"], row["kg_co2eq"])
        for row in connection.execute(
            "select emission_type_id, kg_co2eq from public.data_entry_emissions where data_entry_id = %s order by id",
            (entry,),
        ).fetchall()
    ]


def test_an_entry_is_stored_and_read_back_and_has_no_emissions_yet(sandbox: Connection, unit: int) -> None:
    entry = create(sandbox, unit, "professional-travel", "plane", TRIP)
    assert entry == {
        "id": entry["id"],
        "data_entry_type_id": 20,
        "carbon_report_module_id": module_of(sandbox, unit, "professional_travel")["id"],
        "status": 0,
        "data": {**TRIP, "primary_factor_id": None, "kg_co2eq": 0},
    }
    assert module_of(sandbox, unit, "professional-travel")["entries"] == [entry]
    for name in ("plane", "20"):
        assert one(sandbox, GET, unit, "professional-travel", name, entry["id"]) == entry
    stored = one(sandbox, "select data, status from public.data_entries")
    assert (stored["data"], stored["status"]) == (TRIP, "PENDING")
    assert emitted(sandbox, entry["id"]) == []


def test_a_caller_that_computed_the_emissions_gives_them_and_people_get_a_rollup(
    sandbox: Connection, unit: int
) -> None:
    trip = create(sandbox, unit, "professional-travel", "plane", TRIP, [PLANE, {**PLANE, "kg_co2eq": 100}])
    assert trip["data"]["kg_co2eq"] == 1000
    member = create(sandbox, unit, "headcount", "member", MEMBER, FOOD)
    assert member["data"]["kg_co2eq"] == 50.5
    assert emitted(sandbox, member["id"]) == [(10001, 20.0), (30004, 30.5), (40000, 50.5)]
    # The sum has one factor of those that it is made of: the smallest.
    factors = [{**FOOD[0], "primary_factor_id": 12}, {**FOOD[1], "primary_factor_id": 11}]
    update(sandbox, unit, "headcount", "member", member["id"], emissions=factors)
    stored = one(sandbox, "select primary_factor_id from public.data_entry_emissions where emission_type_id = 40000")
    assert stored["primary_factor_id"] == 11
    # One emission needs no sum.
    student = create(sandbox, unit, "headcount", "student", {"fte": 2}, FOOD[:1])
    assert emitted(sandbox, student["id"]) == [(10001, 20.0)]


def test_each_write_brings_stats_and_last_updated_of_module_and_report_up_to_date(
    sandbox: Connection, unit: int
) -> None:
    def stats(module: str | None = None) -> tuple[float, int]:
        found = report_of(sandbox, unit) if module is None else module_of(sandbox, unit, module)
        return found["stats"]["total"], found["stats"]["entry_count"]

    entry = create(sandbox, unit, "headcount", "member", MEMBER, FOOD)["id"]
    create(sandbox, unit, "professional-travel", "plane", TRIP, [PLANE])
    report, headcount = report_of(sandbox, unit), module_of(sandbox, unit, "headcount")
    assert (stats("headcount"), stats("professional-travel"), stats()) == ((50.5, 1), (900, 1), (950.5, 2))
    assert report["last_updated"] == module_updated(sandbox, headcount["id"]) == LATER_EPOCH

    update(sandbox, unit, "headcount", "member", entry, emissions=FOOD[:1])
    assert (stats("headcount"), stats()) == ((20, 1), (920, 2))
    assert report_of(sandbox, unit)["last_updated"] == module_updated(sandbox, headcount["id"]) == NOW_EPOCH

    sandbox.execute(DELETE, (unit, "headcount", "member", entry, LATER))
    assert (stats("headcount"), stats()) == ((0, 0), (900, 1))
    assert report_of(sandbox, unit)["last_updated"] == LATER_EPOCH


def test_an_update_changes_the_given_fields_and_leaves_the_rest(sandbox: Connection, unit: int) -> None:
    entry = create(sandbox, unit, "purchase", "services", SERVICE)
    changed = update(sandbox, unit, "purchase", "services", entry["id"], {"name": "Windows", "supplier": "X"})
    assert changed == {**entry, "data": {**entry["data"], "name": "Windows", "supplier": "X"}}
    updated = "select updated_at at time zone 'UTC' = %s::timestamptz as is_now from public.data_entries"
    assert one(sandbox, updated, NOW) == {"is_now": True}
    # Null takes a value away, where it may be missing.
    changed = update(sandbox, unit, "purchase", "services", entry["id"], {"supplier": None})
    assert changed["data"]["supplier"] is None
    # What the calculator stored besides stays, whatever it is.
    sandbox.execute('update public.data_entries set data = \'{"name": "A", "theirs": [1, 2]}\'')
    changed = update(sandbox, unit, "purchase", "services", entry["id"], {"note": "n"})
    assert changed["data"] == {"name": "A", "theirs": [1, 2], "note": "n", "primary_factor_id": None, "kg_co2eq": 0}


def test_emissions_go_when_a_field_changes_from_which_they_are_computed(sandbox: Connection, unit: int) -> None:
    data = {**SERVICE, "primary_factor_id": 35}
    entry = create(sandbox, unit, "purchase", "services", data, [{"emission_type_id": 90600, "kg_co2eq": 142.5}])["id"]

    def after(fields: dict[str, Any] | None, emissions: Any = None) -> tuple[float, int | None]:
        found = update(sandbox, unit, "purchase", "services", entry, fields, emissions)["data"]
        return found["kg_co2eq"], found["primary_factor_id"]

    assert after({"note": "paid", "name": "Windows"}) == (142.5, 35)
    # The same value as before is no change.
    assert after({"total_spent_amount": 750.25, "purchase_institutional_code": " S100 "}) == (142.5, 35)
    assert after({"total_spent_amount": 800}) == (0, None)
    assert emitted(sandbox, entry) == []
    assert after(None, [{"emission_type_id": 90600, "kg_co2eq": 152}]) == (152, None)
    # The caller has computed them again.
    again = [{"emission_type_id": 90600, "kg_co2eq": 171}]
    assert after({"total_spent_amount": 900, "primary_factor_id": 36}, again) == (171, 36)
    assert after(None, []) == (0, 36)


WRITES: list[Callable[[Connection, int, int], Any]] = [
    lambda sandbox, unit, _: create(sandbox, unit, "purchase", "services", SERVICE),
    lambda sandbox, unit, entry: update(sandbox, unit, "purchase", "scientific_equipment", entry, {"note": "n"}),
    lambda sandbox, unit, entry: sandbox.execute(DELETE, (unit, "purchase", "scientific_equipment", entry, NOW)),
]


@pytest.mark.parametrize("write", WRITES, ids=["create", "update", "delete"])
@pytest.mark.parametrize("status", [0, 1, 2])
def test_a_write_puts_its_module_in_progress_and_no_other(
    sandbox: Connection, unit: int, status: int, write: Callable[[Connection, int, int], Any]
) -> None:
    report = report_of(sandbox, unit)["id"]
    entry = add_entry(sandbox, report, 5, 10)
    set_status(sandbox, report, 2, 1, 2, 3)
    set_status(sandbox, report, status, 5)
    write(sandbox, unit, entry)
    modules = sandbox.execute("select status from get_carbon_report_modules(%s::bigint)", (report,)).fetchall()
    assert [module["status"] for module in modules] == [2, 2, 2, 0, 1, 0, 0, 0]
    written = report_of(sandbox, unit)
    assert (written["completion_progress"], written["overall_status"]) == ("3/8", 1)


# --- the fields of each type -----------------------------------------------------------------


def test_every_type_of_entries_belongs_to_a_module_and_has_fields(sandbox: Connection) -> None:
    types = sandbox.execute(
        "select listed.module_type_id, count(field.name) as fields from pgreprise.carbon_entry_type as listed "
        "left join pgreprise.carbon_entry_field as field using (data_entry_type_id) group by data_entry_type_id"
    ).fetchall()
    assert len(types) == 23
    assert {row["module_type_id"] for row in types} == set(range(1, 9))
    assert all(row["fields"] > 1 for row in types)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"fte": "0.75"}, {"fte": 0.75}),
        ({"name": "  Ada  ", "unknown": 5}, {"name": "Ada"}),
        ({"note": ""}, {"note": None}),
        ({"note": None}, {"note": None}),
        ({"user_institutional_id": "007"}, {"user_institutional_id": "007"}),
        ({"primary_factor_id": 12}, {"primary_factor_id": 12}),
    ],
)
def test_fields_are_stored_as_the_calculator_stores_them(
    sandbox: Connection, unit: int, given: dict[str, Any], stored: dict[str, Any]
) -> None:
    entry = create(sandbox, unit, "headcount", "member", {**MEMBER, **given})
    expected = {**MEMBER, "primary_factor_id": None, "kg_co2eq": 0, **stored}
    assert entry["data"] == expected


def test_choices_are_stored_in_lower_case_and_dates_as_iso_dates(sandbox: Connection, unit: int) -> None:
    given = {**TRIP, "cabin_class": "Economy", "departure_date": "2025/03/04T00:00:00"}
    assert create(sandbox, unit, "professional_travel", "plane", given)["data"] == {
        **TRIP,
        "primary_factor_id": None,
        "kg_co2eq": 0,
    }


DATE = "departure_date must be a date such as 2026-05-31."
REFUSED: list[tuple[str, str, Any, str]] = [
    ("headcount", "student", {}, "fte is missing: fte must be a number of 0 or more."),
    ("headcount", "student", {"fte": None}, "fte is missing: fte must be a number of 0 or more."),
    ("headcount", "student", {"FTE": 1}, "fte is missing: fte must be a number of 0 or more."),
    ("headcount", "student", {"fte": -1}, "fte must be a number of 0 or more."),
    ("headcount", "student", {"fte": True}, "fte must be a number of 0 or more."),
    ("headcount", "student", {"fte": [1]}, "fte must be a number of 0 or more."),
    ("headcount", "student", {"fte": 1e300}, "fte must be a number of 0 or more."),
    ("headcount", "member", {**MEMBER, "fte": 1.5}, "fte must be a number from 0 to 1."),
    ("headcount", "member", {**MEMBER, "name": "  "}, "name is missing: name must be a text."),
    ("headcount", "member", {**MEMBER, "name": 7}, "name must be a text."),
    (
        "headcount",
        "member",
        {**MEMBER, "sius_code": "55", "fte": "x"},
        "fte must be a number from 0 to 1. sius_code must be one of 51, 52, 53, 54, 56, 57, 58, 59.",
    ),
    (
        "professional-travel",
        "plane",
        {**TRIP, "number_of_trips": 1.5},
        "number_of_trips must be a whole number of 1 or more.",
    ),
    ("professional-travel", "plane", {**TRIP, "departure_date": "2025-02-30"}, DATE),
    ("professional-travel", "plane", {**TRIP, "departure_date": "soon"}, DATE),
    (
        "equipment",
        "it",
        {
            "equipment_id": "1", "name": "x", "equipment_class": "Server",
            "active_usage_hours_per_week": 100, "standby_usage_hours_per_week": 69,
        },
        "active_usage_hours_per_week and standby_usage_hours_per_week are 169 hours together, and a week has 168.",
    ),
    ("headcount", "student", [], "The fields must be a JSON object."),
    ("headcount", "student", "x", "The fields must be a JSON object."),
    ("headcount", "student", None, "The fields must be a JSON object."),
]  # fmt: skip


@pytest.mark.parametrize(("module", "entry_type", "data", "problem"), REFUSED)
def test_fields_that_no_entry_can_have_are_refused(
    sandbox: Connection, unit: int, module: str, entry_type: str, data: Any, problem: str
) -> None:
    said = refusal(sandbox, CREATE, unit, module, entry_type, Jsonb(data), None, NOW)
    assert (said.code, said.message) == ("RC013", problem)


def test_an_update_checks_what_is_given_and_what_comes_of_it(sandbox: Connection, unit: int) -> None:
    device = {"equipment_id": "1", "name": "x", "equipment_class": "Server", "active_usage_hours_per_week": 100}
    entry = create(sandbox, unit, "equipment-electric-consumption", "it", device)["id"]
    for data, problem in (
        ({"name": None}, "name is missing: name must be a text."),
        ({"active_usage_hours_per_week": 169}, "active_usage_hours_per_week must be a whole number from 0 to 168."),
        (
            {"standby_usage_hours_per_week": 69},
            "active_usage_hours_per_week and standby_usage_hours_per_week are 169 hours together, and a week has 168.",
        ),
        ({}, "Nothing is given that an entry of this type has: active_usage_hours_per_week, "),
        ({"nothing": 1}, "Nothing is given that an entry of this type has: active_usage_hours_per_week, "),
    ):
        said = refusal(sandbox, UPDATE, unit, "equipment", "it", entry, Jsonb(data), None, NOW)
        assert said.code == "RC013"
        assert (said.message or "").startswith(problem)
    said = refusal(sandbox, UPDATE, unit, "equipment", "it", entry, None, None, NOW)
    assert (said.code, said.message) == ("RC013", "Neither fields nor emissions are given.")


def test_a_person_is_a_member_of_a_module_once(sandbox: Connection, unit: int) -> None:
    entry = create(sandbox, unit, "headcount", "member", MEMBER)["id"]
    said = refusal(sandbox, CREATE, unit, "headcount", "member", Jsonb(MEMBER), None, NOW)
    assert (said.code, said.message) == ("RC014", "DUPLICATE_INSTITUTIONAL_ID")
    assert said.detail == {"user_institutional_id": "1001", "item_id": entry}
    other = create(sandbox, unit, "headcount", "member", {**MEMBER, "user_institutional_id": "1002"})["id"]
    values = (Jsonb({"user_institutional_id": "1001"}), None, NOW)
    assert refusal(sandbox, UPDATE, unit, "headcount", "member", other, *values).code == "RC014"
    update(sandbox, unit, "headcount", "member", entry, {"user_institutional_id": "1001", "fte": 0.25})
    # Without an id there is nothing to compare, and in another report it is another member.
    for _ in range(2):
        create(sandbox, unit, "headcount", "member", {**MEMBER, "user_institutional_id": None})
    add_report(sandbox, unit, 2025, "Simulator_Explore")
    sandbox.execute(
        "select create_data_entry(%s, 2025, 'headcount', 'member', %s, carbon_project_type => 1)", (unit, Jsonb(MEMBER))
    )


# --- emissions that no entry can have --------------------------------------------------------

BAD_EMISSIONS = [
    {},
    "x",
    [1],
    [None],
    [{}],
    [{"emission_type_id": 10001}],
    [{"kg_co2eq": 1}],
    [{"emission_type_id": "10001", "kg_co2eq": 1}],
    [{"emission_type_id": 10001, "kg_co2eq": "1"}],
    [{"emission_type_id": 10001, "kg_co2eq": None}],
    [{"emission_type_id": 10001.5, "kg_co2eq": 1}],
    [{"emission_type_id": 2**31, "kg_co2eq": 1}],
    [{"emission_type_id": -1, "kg_co2eq": 1}],
    [{"emission_type_id": 10001, "kg_co2eq": 1e16}],
    [{"emission_type_id": 10001, "kg_co2eq": -0.5}],
    [{"emission_type_id": 10001, "kg_co2eq": "NaN"}],
    [{"emission_type_id": 10001, "kg_co2eq": 1, "additional_value": -1}],
    [{"emission_type_id": 10001, "kg_co2eq": 1, "additional_value": "Infinity"}],
    [{"emission_type_id": 10001, "kg_co2eq": 1, "scope": "3"}],
    [{"emission_type_id": 10001, "kg_co2eq": 1, "scope": 2.5}],
    [{"emission_type_id": 10001, "kg_co2eq": 1, "additional_value": "1"}],
    [{"emission_type_id": 10001, "kg_co2eq": 1, "primary_factor_id": 0.5}],
    [{"emission_type_id": 10001, "kg_co2eq": 1, "meta": []}],
    [{"emission_type_id": 40000, "kg_co2eq": 1}],
    [{"emission_type_id": 60100, "kg_co2eq": 1}],
]


@pytest.mark.parametrize("emissions", BAD_EMISSIONS, ids=str)
def test_emissions_that_no_entry_can_have_are_refused(sandbox: Connection, unit: int, emissions: Any) -> None:
    values = (Jsonb({"fte": 1}), Jsonb(emissions), NOW)
    assert refusal(sandbox, CREATE, unit, "headcount", "student", *values).code == "RC008"
    entry = add_entry(sandbox, report_of(sandbox, unit)["id"], 1, data_entry_type_id=2)
    assert refusal(sandbox, UPDATE, unit, "headcount", "student", entry, *values).code == "RC008"


@pytest.mark.parametrize(
    ("emission_type_id", "message"),
    [
        (1, "There is no emission type 1."),
        (10000, "Emission type 10000 (food) sums others. Give those that are below it."),
        (50203, "Emission type 50203 (professional_travel__plane__eco) belongs to the module professional_travel."),
    ],
)
def test_a_type_of_emissions_that_would_count_in_totals_but_not_in_stats_is_refused_by_name(
    sandbox: Connection, unit: int, emission_type_id: int, message: str
) -> None:
    emissions = [*FOOD, {"emission_type_id": emission_type_id, "kg_co2eq": 1}]
    said = refusal(sandbox, CREATE, unit, "headcount", "student", Jsonb({"fte": 1}), Jsonb(emissions), NOW)
    assert (said.code, said.message) == ("RC008", message)


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
    said = refusal(sandbox, CREATE, unit, "buildings", "building", Jsonb({}), None, NOW)
    assert (said.code, (said.message or "").split(":")[0]) == ("RC003", "Module not found")
    report = report_of(sandbox, unit)["id"]
    assert refusal(sandbox, STATUS, report, 3, 1, NOW).code == "RC003"
    assert refusal(sandbox, STATUS, report + 1, 1, 1, NOW).code == "RC003"


def test_an_entry_is_found_in_its_own_module_and_type_only(sandbox: Connection, unit: int) -> None:
    report = report_of(sandbox, unit)["id"]
    explore = add_report(sandbox, unit, 2025, "Simulator_Explore")
    entry = add_entry(sandbox, report, 5, 10)
    elsewhere = add_entry(sandbox, explore, 5, 10)
    for item, module, entry_type in (
        (entry, "buildings", "building"),
        (entry, "purchase", "services"),
        (elsewhere, "purchase", "scientific_equipment"),
    ):
        for statement, values in ((GET, ()), (UPDATE, (Jsonb({"note": "x"}), None, NOW)), (DELETE, (NOW,))):
            assert refusal(sandbox, statement, unit, module, entry_type, item, *values).code == "RC003"


@pytest.mark.parametrize("entry_type", ["plane", "20", "services ", "Services", "", None, "0", "-1", "60.0"])
def test_a_type_that_the_module_does_not_have_is_refused(
    sandbox: Connection, unit: int, entry_type: str | None
) -> None:
    said = refusal(sandbox, CREATE, unit, "purchase", entry_type, Jsonb(SERVICE), None, NOW)
    assert said.code == "RC015"
    assert "Its types are: scientific_equipment, it_equipment, " in (said.message or "")
    assert refusal(sandbox, GET, unit, "purchase", entry_type, 1).code == "RC015"


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
    for module_type in range(1, 9):
        one(sandbox, STATUS, report, module_type, module_type % 2, NOW)
    after = report_of(sandbox, unit)
    assert (after["completion_progress"], after["overall_status"], after["last_updated"]) == ("0/8", 0, NOW_EPOCH)
    assert snapshot(sandbox)["data_entries"][0].startswith(f"({entry},")


@pytest.mark.parametrize(("module_type", "status"), [(1, 3), (1, -1), (1, None), (0, 1), (9, 1), (None, 1)])
def test_a_status_or_module_type_that_is_none_is_refused(
    sandbox: Connection, unit: int, module_type: int | None, status: int | None
) -> None:
    assert refusal(sandbox, STATUS, report_of(sandbox, unit)["id"], module_type, status, NOW).code == "RC006"


def test_only_the_principal_or_the_operator_sets_a_status(sandbox: Connection, unit: int) -> None:
    report = report_of(sandbox, unit)["id"]
    with acting(sandbox, claims(role(STANDARD, "unit", "0184"), role(PRINCIPAL, "unit", "0999"))):
        said = refusal(sandbox, STATUS, report, 1, 2, NOW)
    assert (said.code, said.message) == ("RC002", "Permission denied: module.status.edit required")
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
    sandbox.execute(DELETE, (unit, "headcount", "member", add_entry(sandbox, report, 1, 10), NOW))
    assert [entry["id"] for entry in module_of(sandbox, unit, "professional-travel")["entries"]] == [kept]
    assert module_of(sandbox, unit, "professional-travel")["id"] == module_id(sandbox, report, 2)
