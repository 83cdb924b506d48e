"""The calculator's front end opens the explore page and works on it: its requests, in its order, as it types them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import URL

from pyapi.api.auth import Authentication, issue_token
from tests.support.api import api_over
from tests.support.carbon import PRINCIPAL, WRITE, claims, role
from tests.support.carbon_host import expected
from tests.support.databases import connect, rows
from tests.support.numbers import same
from tests.support.tokens import SETTINGS

pytestmark = pytest.mark.needs("time")

# The unit of the real databases that has an explore report, which is report 4.
UNIT, YEAR, EXPLORE, CALCULATOR = 1, 2025, 4, 2
MODULES = {
    "headcount": 1,
    "professional-travel": 2,
    "process-emissions": 8,
    "buildings": 3,
    "equipment": 4,
    "purchase": 5,
    "external-cloud-and-ai": 7,
}
# The tables that the page shows, and the types of entries in each.
TABLES = {
    "headcount": {"member": 1, "student": 2},
    "professional-travel": {"plane": 20, "train": 21},
    "buildings": {"building": 30, "energy_combustion": 31},
    "equipment": {"scientific": 10, "it": 11, "other": 12},
    "purchase": {"scientific_equipment": 60, "services": 64, "additional_purchases": 67},
    "external-cloud-and-ai": {"external_clouds": 40, "external_ai": 41},
    "process-emissions": {"process_emissions": 50},
}

Send = Callable[..., tuple[int, Any]]


@pytest.fixture(params=["today", "before"])
def real(request: pytest.FixtureRequest, adopted: Callable[[str], URL]) -> tuple[str, URL]:
    """A real database whose explore report was changed a moment ago, so that it is not stale."""
    url = adopted(f"carbon {request.param}")
    with connect(url) as connection:
        connection.execute(
            "update public.carbon_reports set last_updated = extract(epoch from now()) where id = %s", (EXPLORE,)
        )
    return request.param, url


@pytest.fixture
def send(real: tuple[str, URL]) -> Iterator[Send]:
    """Sends a request as the unit's principal: ``send("GET", "modules/...", {"body": 1})``."""
    token = issue_token(SETTINGS, claims(role(PRINCIPAL, "unit", "0184"), scope=WRITE), lifetime_seconds=600)
    with api_over(real[1], Authentication.of(SETTINGS)) as app:
        client = app.test_client()

        def request(method: str, path: str, body: Any = None) -> tuple[int, Any]:
            # The body of a request without one is none at all.
            given = {} if body is None else {"json": body}
            reply = client.open(f"/api/v1/{path}", method=method, headers={"Authorization": f"Bearer {token}"}, **given)
            return reply.status_code, reply.get_json() if reply.data else None

        yield request


def report_at(url: URL, report_id: int) -> dict[str, Any]:
    [row] = rows(url, "select * from public.carbon_reports where id = %s", report_id)
    return row


def test_opening_the_page(send: Send, real: tuple[str, URL]) -> None:
    name, url = real
    # The guard of the route makes sure that there is a Calculator report.
    assert send("GET", f"carbon-reports/unit/{UNIT}/year/{YEAR}/") == (200, report_at(url, CALCULATOR))
    status, modules = send("GET", f"carbon-reports/{CALCULATOR}/modules/")
    assert status == 200
    keys = {"id", "carbon_report_id", "module_type_id", "status", "stats"}
    assert [module.keys() for module in modules] == [keys] * 8
    assert [module["module_type_id"] for module in modules] == list(range(1, 9))

    status, explore = send("GET", f"carbon-reports/simulator/explore/unit/{UNIT}/reference-year/{YEAR}/")
    assert (status, explore) == (200, report_at(url, EXPLORE))

    for module, module_type_id in MODULES.items():
        status, view = send("GET", f"modules/{UNIT}/{YEAR}/{module}?carbon_project_type=1")
        assert status == 200, view
        assert view.keys() == {
            "carbon_report_module_id",
            "retrieved_at",
            "data_entry_types_total_items",
            "stats",
            "totals",
        }
        [stored] = rows(
            url,
            "select id, stats -> 'total' as total from public.carbon_report_modules "
            "where carbon_report_id = %s and module_type_id = %s",
            EXPLORE,
            module_type_id,
        )
        assert view["carbon_report_module_id"] == stored["id"]
        if module_type_id != 1:
            assert sum(view["stats"].values()) == pytest.approx(stored["total"] or 0)
            assert (view["totals"]["total_kg_co2eq"] or 0) == pytest.approx(stored["total"] or 0)

    status, breakdown = send("GET", f"modules-stats/{EXPLORE}/emission-breakdown")
    assert (status, breakdown) == (200, same(expected(name)[str(EXPLORE)]["emission_breakdown"]))

    for module, types in TABLES.items():
        for entry_type, type_id in types.items():
            status, table = send(
                "GET",
                f"modules/{UNIT}/{YEAR}/{module}/{entry_type}"
                "?page=1&limit=20&sort_by=id&sort_order=desc&carbon_project_type=1",
            )
            assert status == 200, table
            stored_ids = [
                row["id"]
                for row in rows(
                    url,
                    "select entry.id from public.data_entries as entry join public.carbon_report_modules as module "
                    "on module.id = carbon_report_module_id where carbon_report_id = %s and data_entry_type_id = %s "
                    "order by entry.id desc",
                    EXPLORE,
                    type_id,
                )
            ]
            assert [item["id"] for item in table["items"]] == stored_ids
            assert (table["id"], table["count"], table["summary"]["total_items"], table["has_more"]) == (
                type_id,
                len(stored_ids),
                len(stored_ids),
                False,
            )

    assert send("GET", f"modules/{UNIT}/{YEAR}/headcount/members?carbon_project_type=1") == (
        200,
        [
            {"institutional_id": "200001", "name": "Member One"},
            {"institutional_id": "200002", "name": "Member Two"},
        ],
    )


def test_opening_the_page_for_the_first_time(send: Send) -> None:
    assert send("GET", f"carbon-reports/unit/{UNIT}/year/2031/") == (
        404,
        {"detail": "Carbon report not found: unit_id 1, year 2031."},
    )
    status, created = send("POST", "carbon-reports/", {"unit_id": UNIT, "year": 2031})
    assert (status, created["year"], created["stats"], created["last_updated"]) == (201, 2031, None, None)
    assert send("GET", f"carbon-reports/{created['id']}/modules/")[0] == 200

    path = f"carbon-reports/simulator/explore/unit/{UNIT}/reference-year/2031/"
    assert send("GET", path)[0] == 404
    status, explore = send("POST", path)
    assert (status, explore["stats"], explore["completion_progress"]) == (201, None, None)
    assert send("GET", path) == (200, explore)


ENTRIES: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("headcount", "student", {"fte": 4}, {"fte": 5.5}),
    (
        "headcount",
        "member",
        {"name": "New", "user_institutional_id": "200009", "fte": 0.5, "sius_code": "51", "note": None},
        {"fte": 0.75},
    ),
    (
        "professional-travel",
        "train",
        {
            "user_institutional_id": "200001",
            "origin_name": "Lausanne",
            "destination_name": "Bern",
            "cabin_class": "second",
            "departure_date": None,
            "number_of_trips": 2,
            "note": None,
        },
        {"number_of_trips": 3},
    ),
    (
        "equipment",
        "it",
        {
            "equipment_id": "E-9",
            "name": "Rack",
            "equipment_class": "Server",
            "active_usage_hours_per_week": 10,
            "standby_usage_hours_per_week": 20,
        },
        {"name": "Other rack"},
    ),
]


@pytest.mark.parametrize(("module", "entry_type", "fields", "change"), ENTRIES)
def test_typing_an_entry_changing_and_deleting_it(
    send: Send, real: tuple[str, URL], module: str, entry_type: str, fields: dict[str, Any], change: dict[str, Any]
) -> None:
    _, url = real
    table = f"modules/{UNIT}/{YEAR}/{module}/{entry_type}"
    calculator = rows(url, "select count(*) as entries from public.data_entries")

    def look_again(items: int) -> dict[str, Any]:
        """What the page asks for after each change."""
        assert send("GET", f"modules/{UNIT}/{YEAR}/{module}?carbon_project_type=1")[0] == 200
        status, listed = send("GET", f"{table}?page=1&limit=20&sort_by=id&sort_order=desc&carbon_project_type=1")
        assert (status, listed["summary"]["total_items"]) == (200, items)
        assert send("GET", f"modules-stats/{EXPLORE}/emission-breakdown")[0] == 200
        status, modules = send("GET", f"carbon-reports/{EXPLORE}/modules/")
        assert (status, modules[MODULES[module] - 1]["status"]) == (200, 1)
        if module == "professional-travel":
            status, trips = send("GET", f"modules/{UNIT}/{YEAR}/professional-travel/trips-map?carbon_project_type=1")
            assert (status, trips.keys()) == (200, {"legs", "dropped_count"})
        return dict(listed["items"][0]) if listed["items"] else {}

    [before] = rows(
        url,
        "select count(*) as n from public.data_entries as entry join public.carbon_report_modules as module "
        "on module.id = carbon_report_module_id where carbon_report_id = %s and data_entry_type_id = %s",
        EXPLORE,
        TABLES[module][entry_type],
    )
    status, created = send("POST", f"{table}?carbon_project_type=1", fields)
    assert status == 201, created
    assert (created["data_entry_type_id"], created["status"]) == (TABLES[module][entry_type], 0)
    assert created["data"]["kg_co2eq"] == 0
    assert fields.items() <= created["data"].items()
    shown = look_again(before["n"] + 1)
    assert shown["id"] == created["id"]
    assert {**fields, "kg_co2eq": 0}.items() <= shown.items()

    status, changed = send("PATCH", f"{table}/{created['id']}?carbon_project_type=1", change)
    assert status == 200, changed
    assert {**fields, **change}.items() <= changed["data"].items()
    assert {**fields, **change}.items() <= look_again(before["n"] + 1).items()

    assert send("DELETE", f"{table}/{created['id']}?carbon_project_type=1") == (204, None)
    look_again(before["n"])
    # All of it was in the explore report.
    assert rows(url, "select count(*) as entries from public.data_entries") == calculator
