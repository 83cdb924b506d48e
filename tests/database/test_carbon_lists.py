"""What the pages of a module show: lists of entries, figures, members and classes."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.support.carbon import (
    PRINCIPAL,
    STANDARD,
    acting,
    add_entry,
    add_report,
    add_unit,
    claims,
    refusal,
    role,
)
from tests.support.databases import Connection
from tests.support.statements import one


@pytest.fixture
def unit(sandbox: Connection) -> int:
    """A unit with a Calculator report of 2025."""
    unit_id = add_unit(sandbox)
    add_report(sandbox, unit_id)
    return unit_id


@pytest.fixture
def report(sandbox: Connection, unit: int) -> int:
    """The id of its report."""
    found = one(sandbox, "select id from public.carbon_reports where unit_id = %s", unit)
    return int(found["id"])


def fill(connection: Connection, entry: int, **data: Any) -> int:
    connection.execute("update public.data_entries set data = %s where id = %s", (Jsonb(data), entry))
    return entry


def page(connection: Connection, unit: int, entry_type: str = "services", **arguments: Any) -> dict[str, Any]:
    given = "".join(f", {name} => %s" for name in arguments)
    found = one(
        connection,
        f"select get_data_entries(%s, 2025, 'purchase', %s{given}) as page",
        unit,
        entry_type,
        *arguments.values(),
    )
    listed: dict[str, Any] = found["page"]
    return listed


def ids(found: dict[str, Any]) -> list[int]:
    return [item["id"] for item in found["items"]]


@pytest.fixture
def services(sandbox: Connection, report: int) -> list[int]:
    """Five services whose names and amounts are partly equal, and an entry of another type."""
    add_entry(sandbox, report, 5, 99)
    return [
        fill(sandbox, add_entry(sandbox, report, 5, kg, data_entry_type_id=64), name=name, total_spent_amount=amount)
        for kg, name, amount in ((5, "b", 10), (4, "A", 9), (3, None, 10), (2, "100%", 100), (1, "b", None))
    ]


def test_a_list_comes_in_pages_and_says_how_many_there_are(sandbox: Connection, unit: int, services: list[int]) -> None:
    seen = []
    for number, expected in ((1, 2), (2, 2), (3, 1), (4, 0)):
        found = page(sandbox, unit, page=number, page_size=2)
        assert (found["id"], found["count"], found["has_more"]) == (64, expected, number < 3)
        assert found["summary"] == {"total_items": 5, "annual_fte": 0, "annual_consumption_kwh": 0, "total_kg_co2eq": 0}
        seen += ids(found)
    assert seen == services
    assert ids(page(sandbox, unit)) == services
    [first] = page(sandbox, unit, page_size=1)["items"]
    assert {**first, "carbon_report_module_id": None} == {
        "id": services[0],
        "data_entry_type_id": 64,
        "carbon_report_module_id": None,
        "status": 0,
        "name": "b",
        "total_spent_amount": 10,
        "primary_factor_id": None,
        "kg_co2eq": 5,
    }


@pytest.mark.parametrize(
    ("sort_by", "ascending", "descending"),
    [
        ("id", [0, 1, 2, 3, 4], [4, 3, 2, 1, 0]),
        ("kg_co2eq", [4, 3, 2, 1, 0], [0, 1, 2, 3, 4]),
        # Numbers by their size; what has none is last, and equal ones are in the order of their ids.
        ("total_spent_amount", [1, 0, 2, 3, 4], [3, 2, 0, 1, 4]),
        ("note", [0, 1, 2, 3, 4], [4, 3, 2, 1, 0]),
    ],
)
def test_a_list_is_sorted_by_any_field(
    sandbox: Connection, unit: int, services: list[int], sort_by: str, ascending: list[int], descending: list[int]
) -> None:
    assert ids(page(sandbox, unit, sort_by=sort_by)) == [services[place] for place in ascending]
    assert ids(page(sandbox, unit, sort_by=sort_by, is_descending=True)) == [services[place] for place in descending]


@pytest.mark.parametrize(
    ("filter_text", "places"), [("B", [0, 4]), ("a", [1]), ("%", [3]), ("", [0, 1, 2, 3, 4]), ("10", [3])]
)
def test_a_filter_finds_what_text_fields_have(
    sandbox: Connection, unit: int, services: list[int], filter_text: str, places: list[int]
) -> None:
    found = page(sandbox, unit, filter=filter_text, page_size=1)
    assert found["summary"]["total_items"] == len(places)
    assert ids(page(sandbox, unit, filter=filter_text)) == [services[place] for place in places]


@pytest.mark.parametrize(
    "arguments",
    [
        {"page": 0},
        {"page": -1},
        {"page": None},
        {"page_size": 0},
        {"page_size": 1001},
        {"sort_by": "nothing"},
        {"sort_by": None},
    ],
)
def test_a_page_or_order_that_there_cannot_be_is_refused(
    sandbox: Connection, unit: int, arguments: dict[str, Any]
) -> None:
    [(name, value)] = arguments.items()
    cast = "text" if name == "sort_by" else "bigint"
    statement = f"select get_data_entries(%s, 2025, 'purchase', 'services', {name} => %s::{cast})"
    assert refusal(sandbox, statement, unit, value).code == "RC016"


def test_a_value_is_unique_unless_another_entry_of_the_type_has_it(
    sandbox: Connection, unit: int, services: list[int]
) -> None:
    def is_unique(field: str, value: str, exclude: int | None = None) -> bool:
        statement = "select is_unique_in_module(%s, 2025, 'purchase', 'services', %s, %s, %s::bigint) as answer"
        answer: bool = one(sandbox, statement, unit, field, value, exclude)["answer"]
        return answer

    assert not is_unique("name", "A")
    assert not is_unique("name", " A ")
    assert is_unique("name", "A", services[1])
    assert not is_unique("name", "b", services[0])
    assert is_unique("name", "a")
    assert not is_unique("total_spent_amount", "9")
    said = refusal(sandbox, "select is_unique_in_module(%s, 2025, 'purchase', 'services', 'x', 'y')", unit)
    assert said.code == "RC016"


def test_the_view_of_headcount_has_fte_by_class(sandbox: Connection, unit: int, report: int) -> None:
    for sius, fte in (("51", 0.5), ("51", 0.25), ("52", 1), (None, 0.1)):
        fill(sandbox, add_entry(sandbox, report, 1, 10), sius_code=sius, fte=fte)
    fill(sandbox, add_entry(sandbox, report, 1, 5, data_entry_type_id=2), fte=3.5)
    found = one(
        sandbox, "select get_module_view(%s, 2025, 'headcount', as_of => '2026-02-03 04:05:06+00') as view", unit
    )
    module = one(
        sandbox,
        "select id from public.carbon_report_modules where carbon_report_id = %s and module_type_id = 1",
        report,
    )
    assert found["view"] == {
        "carbon_report_module_id": module["id"],
        "retrieved_at": "2026-02-03T04:05:06.000000+00:00",
        "data_entry_types_total_items": {"1": 4, "2": 1},
        "stats": {"51": 0.75, "52": 1, "unknown": 0.1, "student": 3.5},
        "totals": {
            "total_kg_co2eq": None,
            "total_tonnes_co2eq": None,
            "total_annual_fte": 5.35,
            "total_annual_consumption_kwh": None,
        },
    }


def test_the_view_of_other_modules_has_kilograms_and_totals_without_embodied_energy(
    sandbox: Connection, unit: int, report: int
) -> None:
    entry = add_entry(sandbox, report, 3, 100, rollup=100)
    sandbox.execute(
        "insert into public.data_entry_emissions (data_entry_id, emission_type_id, kg_co2eq) values (%s, 60300, 40)",
        (entry,),
    )
    found = one(sandbox, "select get_module_view(%s, 2025, 'buildings') as view", unit)["view"]
    assert found["stats"] == {"6010101": 100, "60300": 40}
    assert (found["totals"]["total_kg_co2eq"], found["totals"]["total_tonnes_co2eq"]) == (100, 0.1)
    assert found["data_entry_types_total_items"] == {"30": 1, "31": 0, "32": 0}
    empty = one(sandbox, "select get_module_view(%s, 2025, 'equipment') as view", unit)["view"]
    assert (empty["stats"], empty["totals"]["total_kg_co2eq"]) == ({}, None)


def test_members_are_listed_by_name_where_they_have_an_id(sandbox: Connection, unit: int, report: int) -> None:
    for name, person in (("bob", "2"), ("Ada", "1"), ("Eve", None), ("Cy", "")):
        fill(sandbox, add_entry(sandbox, report, 1), name=name, user_institutional_id=person)
    members = "select * from get_headcount_members(%s, 2025)"
    listed = sandbox.execute(members, (unit,)).fetchall()
    assert listed == [{"institutional_id": "1", "name": "Ada"}, {"institutional_id": "2", "name": "bob"}]
    own = {**claims(role(STANDARD, "own", "0184")), "institutional_id": "2"}
    with acting(sandbox, own):
        assert sandbox.execute(members, (unit,)).fetchall() == [{"institutional_id": "2", "name": "bob"}]
    with acting(sandbox, claims(role(STANDARD, "unit", "0184"))):
        assert refusal(sandbox, members, unit).code == "RC002"
    with acting(sandbox, claims(role(PRINCIPAL, "unit", "0184"))):
        assert len(sandbox.execute(members, (unit,)).fetchall()) == 2
    assert refusal(sandbox, "select get_headcount_members(%s, 2024)", unit).code == "RC003"


def test_a_limit_to_own_entries_holds_for_the_fte_of_headcount_too(sandbox: Connection, unit: int, report: int) -> None:
    for fte, person in ((1, "7"), (2, "8")):
        fill(sandbox, add_entry(sandbox, report, 1), fte=fte, user_institutional_id=person, sius_code="51")
    sandbox.execute(
        "insert into pgreprise.carbon_role_right (role, kind, resource, action, only_own) values "
        "(%s, 'own', 'headcount', 'view', true)",
        (STANDARD,),
    )
    with acting(sandbox, {**claims(role(STANDARD, "own", "0184")), "institutional_id": "7"}):
        view = one(sandbox, "select get_module_view(%s, 2025, 'headcount') as view", unit)["view"]
    assert (view["totals"]["total_annual_fte"], view["stats"]) == (1, {"51": 1, "student": None})


def test_classes_are_summed_by_type_and_only_so_many_are_shown(sandbox: Connection, unit: int, report: int) -> None:
    for kg, name in ((40, "a"), (10, "a"), (25, "b"), (5, "e"), (5, "c"), (4, "d"), (1, None)):
        fill(sandbox, add_entry(sandbox, report, 4, kg), equipment_class=name)
    fill(sandbox, add_entry(sandbox, report, 4, 10, data_entry_type_id=11), equipment_class="server")
    add_entry(sandbox, report, 4)

    def classes(only_largest: bool) -> Any:
        statement = "select get_module_classes(%s, 2025, 'equipment', %s) as classes"
        return one(sandbox, statement, unit, only_largest)["classes"]

    assert classes(True) == [
        {
            "name": "scientific",
            "value": 90,
            "children": [
                {"name": "a", "value": 50, "percentage": 50},
                {"name": "b", "value": 25, "percentage": 25},
                {"name": "c", "value": 5, "percentage": 5},
                {"name": "rest", "value": 10, "percentage": 10},
            ],
        },
        {"name": "it", "value": 10, "children": [{"name": "server", "value": 10, "percentage": 10}]},
    ]
    assert [child["name"] for child in classes(False)[0]["children"]] == ["a", "b", "c", "e", "d", "unknown"]
    said = refusal(sandbox, "select get_module_classes(%s, 2025, 'headcount')", unit)
    assert (said.code, said.message) == ("RC016", "The entries of the module headcount have no classes.")


def test_who_may_see_own_travel_only_gets_lists_and_figures_of_these(
    sandbox: Connection, unit: int, report: int
) -> None:
    for kg, person in ((100, "7"), (20, "8"), (3, None)):
        fill(sandbox, add_entry(sandbox, report, 2, kg), user_institutional_id=person, cabin_class="economy")
    with acting(sandbox, {**claims(role(STANDARD, "own", "0184")), "institutional_id": "7"}):
        view = one(sandbox, "select get_module_view(%s, 2025, 'professional-travel') as view", unit)["view"]
        assert (view["stats"], view["totals"]["total_kg_co2eq"]) == ({"50203": 100}, 100)
        assert view["data_entry_types_total_items"] == {"20": 1, "21": 0}
        listed = one(sandbox, "select get_data_entries(%s, 2025, 'professional-travel', 'plane') as page", unit)["page"]
        assert [item["user_institutional_id"] for item in listed["items"]] == ["7"]
        assert listed["summary"]["total_items"] == 1
        shown = one(sandbox, "select get_module_classes(%s, 2025, 'professional-travel') as classes", unit)
        assert shown["classes"][0]["value"] == 100
        assert one(sandbox, "select get_trips(%s, 2025) as trips", unit)["trips"] == {"legs": [], "dropped_count": 1}
        for person, is_unique in (("7", False), ("8", True)):
            told = one(
                sandbox,
                "select is_unique_in_module(%s, 2025, 'professional-travel', 'plane', 'user_institutional_id', %s) "
                "as is_unique",
                unit,
                person,
            )
            assert told["is_unique"] is is_unique
